"""Fetch a photo from a URL whose host the settings allow.

A host's name is resolved once, every address of it must be public, and the connection is to one of these addresses,
also after a redirect. Nothing is read from the environment, such as a proxy, and nothing is decompressed
(docs/decisions/0109, 0110).
"""

import contextlib
import socket
import ssl
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from itertools import zip_longest
from typing import Any

from lambda_fn import errors
from lambda_fn.bounded import HEAD_BYTES, CountedResponse, DeadlineError, TooManyBytesError, allow_more, bounded, use
from lambda_fn.deadline import Deadline
from lambda_fn.errors import Fault, ServiceError
from lambda_fn.photo import LIMITS, MAX_BYTES, check_size
from lambda_fn.photo_url import AllowedHosts, PhotoUrl, PhotoUrlError
from lambda_fn.public_addresses import not_public
from lambda_fn.request_log import RequestLog
from lambda_fn.settings import Settings

MAX_S = 4.0
"""For all of it: names, connections, redirects and the body. The rest of the function's time is for the endpoint."""
LEAST_S = 0.5
"""With less time than this nothing is fetched."""
CONNECT_TIMEOUT_S = 1.5
"""For one address, so that another one of the same host can be tried."""
MAX_ADDRESSES = 4
"""Of both families together."""
MAX_REDIRECTS = 3
PORT = 443

HEADERS = {"User-Agent": "Kennel", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
_REDIRECTS = (301, 302, 303, 307, 308)
_OF_STATUS = {
    401: errors.URL_DENIED,
    403: errors.URL_DENIED,
    404: errors.URL_NOT_FOUND,
    410: errors.URL_NOT_FOUND,
}


class _FetchError(Exception):
    """Ends the fetch. The message is for the log, `sentence` for the caller: it has nothing that only a host said."""

    def __init__(self, cause: str, *, fault: Fault = errors.URL_FAILED, sentence: str | None = None) -> None:
        super().__init__(cause)
        self.fault, self.sentence = fault, sentence


def warm_up() -> None:
    """Read the certificates of the authorities that are trusted, in advance."""
    _tls_context()


def fetch(url: str, *, settings: Settings, deadline: Deadline, log: RequestLog) -> bytes:
    """The bytes at the URL. Raises ServiceError if it may not be fetched, or not within MAX_S and the deadline."""
    if not settings.allowed_url_hosts:
        raise ServiceError(errors.URL_NOT_FETCHED)
    try:
        first = PhotoUrl.parse(url)
    except PhotoUrlError as error:
        raise ServiceError(errors.URL_INVALID, str(error)) from error
    seconds = min(MAX_S, deadline.left_s())
    if seconds < LEAST_S:
        raise ServiceError(errors.URL_TIMED_OUT)
    try:
        # heads have HEAD_BYTES together, and the photo what `_body` adds
        return bounded(lambda: _fetched(first, settings.allowed_url_hosts), seconds=seconds, max_bytes=0)
    except _FetchError as error:
        log.note_cause(error)
        raise ServiceError(error.fault, error.sentence) from error
    except TooManyBytesError as error:
        log.note_cause(error)
        sentence = f"The response has a head of more than {HEAD_BYTES:,} bytes, or a photo of more. {LIMITS}"
        raise ServiceError(errors.TOO_LARGE, sentence) from error
    except (DeadlineError, TimeoutError) as error:  # before OSError, of which TimeoutError is one
        log.note_cause(error)
        raise ServiceError(errors.URL_TIMED_OUT) from error
    except (OSError, HTTPException) as error:
        log.note_cause(error)
        raise ServiceError(errors.URL_FAILED) from error


def _fetched(url: PhotoUrl, allowed: AllowedHosts) -> bytes:
    for hop in range(MAX_REDIRECTS + 1):
        if not allowed.allow(url.host):
            sentence = errors.URL_FORBIDDEN.message if hop == 0 else "The URL redirects to a host that is not allowed."
            raise _FetchError(f"{url.host} is not allowed", fault=errors.URL_FORBIDDEN, sentence=sentence)
        connection = _Connection(url.host)
        with contextlib.closing(connection):
            connection.request("GET", url.target, headers=HEADERS)
            with contextlib.closing(connection.getresponse()) as response:
                if response.status not in _REDIRECTS:
                    return _body(response)
                location = response.headers.get("Location", "")
        if not location.strip():  # `urljoin` would return the same URL
            raise _FetchError(
                f"{url.host} redirects without Location",
                sentence="The URL's host redirects, but does not say where to.",
            )
        try:
            url = url.redirected(location)
        except PhotoUrlError as error:
            sentence = "The URL redirects to one that is not accepted: only https on port 443 of a DNS name is."
            raise _FetchError(f"{url.host} redirects: {error}", fault=errors.URL_FORBIDDEN, sentence=sentence) from None
    raise _FetchError(
        f"{url.host} redirects again", sentence=f"The URL redirects more than {MAX_REDIRECTS} times. Send the last URL."
    )


class _Connection(HTTPConnection):
    """To a checked address of `host`, with TLS and a certificate for that name."""

    default_port = PORT
    response_class = CountedResponse

    def connect(self) -> None:
        self.sock = _with_tls(_connected(_addresses(self.host)), self.host)


def _addresses(host: str) -> list[tuple[int, Any]]:
    """The family and the socket address of each of the host's addresses, all of them public."""
    try:
        # The dot makes the name absolute. Without it the resolver may add the domains of its search list.
        found = socket.getaddrinfo(f"{host}.", PORT, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _FetchError(f"{host}: {error}", sentence="The URL's host name could not be resolved.") from error
    for *_, address in found:
        if reason := not_public(str(address[0])):
            raise _FetchError(
                f"{host} has the address {address[0]} ({reason})",
                fault=errors.URL_FORBIDDEN,
                sentence="The URL leads to a host with an address that is not on the public internet.",
            )
    return [(family, address) for family, _, _, _, address in found]


def _connected(addresses: list[tuple[int, Any]]) -> socket.socket:
    failures: list[OSError] = []
    for family, address in _in_turns(addresses)[:MAX_ADDRESSES]:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # this system has no IPv6, or no IPv4
            failures.append(error)
            continue
        try:
            use(sock)
            sock.settimeout(CONNECT_TIMEOUT_S)
            sock.connect(address)
            sock.settimeout(MAX_S)
            return sock
        except OSError as error:
            sock.close()
            failures.append(error)
        except BaseException:
            sock.close()
            raise
    raise failures[-1]


def _in_turns(addresses: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """The families take turns, from that of the first address (RFC 8305, section 4, with one address each).

    A network without IPv6 reaches none of its addresses, and a host may have more of them than are tried.
    """
    families: dict[int, list[tuple[int, Any]]] = {}
    for family, address in addresses:
        families.setdefault(family, []).append((family, address))
    return [each for turn in zip_longest(*families.values()) for each in turn if each is not None]


def _with_tls(sock: socket.socket, host: str) -> ssl.SSLSocket:
    try:
        tls = _tls_context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        sock.close()
        raise
    try:
        use(tls)  # it has taken the descriptor from `sock`
        tls.do_handshake()
    except ssl.SSLCertVerificationError as error:
        tls.close()
        raise _FetchError(
            f"{host}: {error}", sentence="The URL's host has no certificate that is valid for its name."
        ) from error
    except BaseException:
        tls.close()
        raise
    return tls


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _body(response: HTTPResponse) -> bytes:
    """The whole body of a response with status 200."""
    if response.status != 200:
        fault = _OF_STATUS.get(response.status, errors.URL_FAILED)
        raise _FetchError(
            f"status {response.status}", fault=fault, sentence=f"The URL's host answered with status {response.status}."
        )
    encodings = [value.strip().lower() for value in response.headers.get_all("Content-Encoding", [])]
    transfer = [value.strip().lower() for value in response.headers.get_all("Transfer-Encoding", [])]
    if not set(encodings) <= {"", "identity"} or transfer not in ([], ["chunked"]):
        # not decompressed: a few kB can become gigabytes, and photos are compressed already
        raise _FetchError(
            f"Content-Encoding {encodings}, Transfer-Encoding {transfer}",
            sentence="The URL's host sent the photo compressed, although it was asked not to.",
        )
    declared = response.length
    check_size(declared or 0)
    allow_more(MAX_BYTES)
    try:
        body = response.read(MAX_BYTES + 1)
    except ValueError as error:  # http.client's, for a chunk of a negative size
        raise _FetchError(str(error)) from error
    if declared is not None and len(body) < declared:
        raise _FetchError(
            f"{len(body)} of {declared} bytes", sentence="The URL's host broke off before the end of the photo."
        )
    if len(body) > MAX_BYTES:
        raise _FetchError(
            "body without a length", fault=errors.TOO_LARGE, sentence=f"The photo has more than 6 MiB. {LIMITS}"
        )
    return body
