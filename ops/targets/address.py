"""Ask an HTTP address for the breeds in a photo: `kennel serve`, a serving container, or the HTTP API on AWS."""

import re
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, HTTPClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from inference.photo.file_types import file_type
from inference.prediction import Prediction
from ops.session import session
from ops.targets.aws import AT_ONCE, CONNECT_TIMEOUT_S, MAX_REQUEST_BYTES, READ_TIMEOUT_S, explained
from ops.targets.reply import Ask, BusyError, RefusedError, Reply, TargetError, predictions_of, shortened

_HTTP_API = re.compile(r"[^.]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_MAX_ANSWER_BYTES = 2**20
_INVOCATIONS, _PREDICT = "/invocations", "predict"


def address(url: str, *, environment: str, top_k: int) -> Ask:
    """Ask the server at a URL. The address of a page, which ends with a slash, is asked at `predict` below it.

    Requests to API Gateway's own host names are signed with the environment's credentials, if there are any. Raises
    TargetError if it is not an http or https URL.
    """
    parts = _parts(url)
    http_api = _HTTP_API.fullmatch(parts.hostname or "")
    signer = _signer(environment, http_api[1]) if http_api else None
    attributes = f"top_k={top_k}"
    if parts.path == _INVOCATIONS:
        headers = {"X-Amzn-SageMaker-Custom-Attributes": attributes}
    else:
        headers = {}
        parts = parts._replace(path=_of_page(parts.path), query=urlencode({"top_k": top_k}))
    target = parts.geturl()
    timeouts: Any = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)  # the stubs have one number alone
    server = URLLib3Session(
        proxies=get_environ_proxies(target),
        timeout=timeouts,
        max_pool_connections=AT_ONCE,
    )

    def ask(photo: bytes) -> list[Prediction]:
        if len(photo) > MAX_REQUEST_BYTES:
            raise RefusedError(
                f"The photo has {len(photo):,} bytes, and Kennel's servers take at most {MAX_REQUEST_BYTES:,}. "
                "Scale it down, or ask a model on this machine (--model)."
            )
        kind = {"Content-Type": file_type(photo).media_type or "application/octet-stream"}
        request = AWSRequest("POST", target, {**headers, **kind, "Accept": "application/json"}, photo)
        request.stream_output = True
        if signer:
            signer.add_auth(request)
        try:
            response = server.send(request.prepare())
            body = response.raw.read(_MAX_ANSWER_BYTES)
        except ReadTimeoutError as error:
            raise RefusedError(f"{url} did not answer within {READ_TIMEOUT_S} s; try again.") from error
        except (ConnectionClosedError, HTTPError) as error:  # urllib3's own, while the body is read
            raise BusyError(f"{url} closed the connection; try again.") from error
        except (BotoCoreError, HTTPClientError) as error:
            reason = " ".join(str(error).split())
            raise TargetError(f"{url} cannot be reached ({reason}). Correct the URL, or start its server.") from error
        _check_address(url, response.status_code, body, signed=signer is not None)
        retry_after = str(response.headers.get("Retry-After", ""))
        return predictions_of(Reply(status=response.status_code, body=body, retry_after=retry_after))

    return ask


def _of_page(path: str) -> str:
    """Where a page posts photos: beside its own address, which on a rehearsal's HTTP API has a path."""
    if path.rstrip("/").endswith(f"/{_PREDICT}"):
        return path.rstrip("/")
    return path if path and not path.endswith("/") else f"{path or '/'}{_PREDICT}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError if it is no number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise TargetError(
            f"{url!r} is no address of a server. Write http://HOST:PORT/ as `kennel serve` prints it, the Api stack's "
            "output HttpUrl, or the /invocations of a container."
        )
    return parts


def _signer(environment: str, region: str) -> SigV4Auth | None:
    """None without credentials: api.http_authorization may be `none`."""
    with explained("the credentials for the HTTP API", needs=""):
        credentials = session(environment).get_credentials()
        return SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region) if credentials else None


def _check_address(url: str, status: int, body: bytes, *, signed: bool) -> None:
    """Raise TargetError for an answer that every photo would get."""
    if status in (401, 403):
        need = (
            "The credentials need execute-api:Invoke on the Api stack's output HttpRouteArn."
            if signed
            else "An HTTP API of Kennel takes signed requests alone unless api.http_authorization is none: set "
            "AWS_PROFILE or the keys, and give its own URL, the output HttpUrl."
        )
        raise TargetError(f"{url} refused the request ({status}: {shortened(body)[:80]}). {need}")
    if status in (404, 405) or 300 <= status < 400:
        raise TargetError(
            f"{url} takes no photos there ({status}). Write the address that `kennel serve` prints, the output "
            "HttpUrl, or the /invocations of a container."
        )
