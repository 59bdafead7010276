"""What a hostile host sends instead of a photo, and how a fetch of it must end."""

import contextlib
import gzip
import socket
import threading
import zlib

from tests.patience import PATIENCE_S
from tests.security.canary_internet import DOMAIN, OK, PHOTO, Speaks, response

EVERY_S = 0.1
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
ENDED = threading.Event()
"""Set at the end of the program, so that every connection is closed."""

TIME, FAILED, LARGE, FORBIDDEN = ("url_timed_out",), ("url_failed",), ("too_large",), ("url_forbidden",)
EITHER = (*LARGE, *TIME)
"""A busy machine may reach the time limit first."""


def nothing(connection: socket.socket) -> None:
    connection.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError):
        while connection.recv(65_536):
            pass


def drips(start: bytes, then: bytes) -> Speaks:
    def speaks(connection: socket.socket) -> None:
        connection.sendall(start)
        while not ENDED.wait(EVERY_S):
            connection.sendall(then)

    return speaks


def floods(start: bytes, then: bytes) -> Speaks:
    def speaks(connection: socket.socket) -> None:
        connection.sendall(start)
        while not ENDED.is_set():
            connection.sendall(then)

    return speaks


def late(seconds: float, then: bytes) -> Speaks:
    def speaks(connection: socket.socket) -> None:
        ENDED.wait(seconds)
        connection.sendall(then)

    return speaks


def redirect(location: str, *, status: int = 302, more: bytes = b"Content-Length: 0\r\n\r\n") -> bytes:
    place = location.encode("latin-1", "ignore") if location.isascii() else location.encode("utf-8", "surrogatepass")
    return b"HTTP/1.1 %d Found\r\nLocation: %s\r\n" % (status, place) + more


def encoded(coding: bytes, body: bytes) -> bytes:
    return response(OK + b"Content-Encoding: " + coding + b"\r\n", body)


ZEROS = gzip.compress(bytes(100_000_000), 9)
"""100 kB that would be 100 MB."""
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WITHOUT_LENGTH = OK + b"Connection: close\r\n\r\n"

SLOW: dict[str, tuple[bytes | Speaks, tuple[str, ...]]] = {
    "silence": (nothing, TIME),
    "status line": (drips(b"HTTP/1.1 ", b" "), TIME),
    "headers": (drips(OK, b"X-More: 1\r\n"), TIME),
    "one header": (drips(OK + b"X-More: ", b"x"), TIME),
    "100 Continue": (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), TIME),
    "body": (drips(OK + b"Content-Length: 100000\r\n\r\n", b"x"), TIME),
    "chunks": (drips(CHUNKED, b"1\r\nx\r\n"), TIME),
    "chunk size": (drips(CHUNKED, b"0"), TIME),
    "trailers": (drips(CHUNKED + b"0\r\n", b"X: 1\r\n"), TIME),
    "body without a length": (drips(WITHOUT_LENGTH, b"x"), TIME),
    "redirects": (late(1.5, redirect("/slow/redirects")), TIME),
    "end": (drips(OK + b"Content-Length: 2000000\r\n\r\n" + bytes(1_999_000), b"x"), TIME),
}
ENDLESS: dict[str, tuple[bytes | Speaks, tuple[str, ...]]] = {
    "body without a length": (floods(WITHOUT_LENGTH, b"x" * 65_536), EITHER),
    "chunks": (floods(CHUNKED, CHUNK), EITHER),
    "chunks of a byte": (floods(CHUNKED, b"1\r\nx\r\n" * 10_000), EITHER),
    "chunk extensions": (floods(CHUNKED, b"1;" + b"x" * 30_000 + b"\r\nx\r\n"), EITHER),
    "chunk size": (floods(CHUNKED, b"0" * 60_000), (*FAILED, *EITHER)),
    "trailers": (floods(CHUNKED + b"0\r\n", b"X: " + b"1" * 60_000 + b"\r\n"), EITHER),
    "headers": (floods(OK, b"X-More: 1\r\n" * 50), (*FAILED, *EITHER)),
    "long headers": (floods(OK, b"X-More: " + b"1" * 30_000 + b"\r\n"), EITHER),
    "one header": (floods(OK + b"X-More: ", b"x" * 65_536), (*FAILED, *EITHER)),
    "status line": (floods(b"HTTP/1.1 200 ", b"x" * 65_536), (*FAILED, *EITHER)),
    "100 Continue": (floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), EITHER),
    "body of an error": (floods(b"HTTP/1.1 500 Error\r\n\r\n", b"x" * 65_536), FAILED),
    "body of a redirect": (
        floods(redirect(f"https://www.{DOMAIN}/dog.jpg", more=b"\r\n"), b"x" * 65_536),
        ("photo",),  # it is not read, and the redirect is followed
    ),
    "redirects": (redirect("/endless/redirects"), FAILED),
    "redirects without a place": (redirect(""), FAILED),
}
COMPRESSED: dict[str, tuple[bytes | Speaks, tuple[str, ...]]] = {
    "gzip": (encoded(b"gzip", ZEROS), FAILED),
    "gzip in capitals": (encoded(b"GZIP", ZEROS), FAILED),
    "gzip twice": (encoded(b"gzip, gzip", gzip.compress(ZEROS)), FAILED),
    "gzip after identity": (encoded(b"identity\r\nContent-Encoding: gzip", ZEROS), FAILED),
    "deflate": (encoded(b"deflate", zlib.compress(bytes(10_000_000), 9)), FAILED),
    "br": (encoded(b"br", ZEROS), FAILED),
    "zstd": (encoded(b"zstd", ZEROS), FAILED),
    "gzip as a transfer coding": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(ZEROS) + ZEROS + b"\r\n0\r\n\r\n",
        FAILED,
    ),
    "gzip that is not declared": (response(body=ZEROS), ("bytes",)),  # refused by its first bytes, as it is no photo
}
LYING: dict[str, tuple[bytes | Speaks, tuple[str, ...]]] = {
    "longer than the body": (OK + b"Content-Length: 1000\r\n\r\n" + PHOTO, FAILED),
    "shorter than the body": (OK + b"Content-Length: 4\r\n\r\n" + PHOTO, ("bytes",)),
    "longer than is allowed": (OK + b"Content-Length: 6291457\r\n\r\n" + PHOTO, LARGE),
    "longer than any file": (OK + b"Content-Length: 999999999999999999999\r\n\r\n" + PHOTO, LARGE),
    "negative": (OK + b"Content-Length: -1\r\n\r\n" + PHOTO, ("photo",)),
    "no number": (OK + b"Content-Length: many\r\n\r\n" + PHOTO, ("photo",)),
    "none, and the photo is too large": (WITHOUT_LENGTH + bytes(7_000_000), EITHER),
    "small, and chunks": (OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK * 120, EITHER),
    "chunk longer than its data": (CHUNKED + b"1000\r\n" + PHOTO, FAILED),
    "chunk of a negative size": (CHUNKED + b"-5\r\n" + PHOTO, (*FAILED, "bytes")),
    "chunk of an immense size": (CHUNKED + b"f" * 4000 + b"\r\n" + PHOTO, FAILED),
    "chunk without a size": (CHUNKED + b"\r\n" + PHOTO, FAILED),
    "no HTTP": (PHOTO * 100, FAILED),
    "HTTP/0.9": (PHOTO + b"\r\n\r\n", FAILED),
    "HTTP/9.9": (b"HTTP/9.9 200 OK\r\n\r\n" + PHOTO, (*FAILED, "photo")),
    "nothing": (b"", FAILED),
    "half a head": (OK, (*FAILED, "bytes")),
    "status 204": (b"HTTP/1.1 204 No Content\r\n\r\n", FAILED),
    "status 206": (response(b"HTTP/1.1 206 Partial Content\r\n"), FAILED),
    "status 304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", FAILED),
    "status 403": (response(b"HTTP/1.1 403 Forbidden\r\n"), ("url_denied",)),
    "status 404": (response(b"HTTP/1.1 404 Not Found\r\n"), ("url_not_found",)),
    "status 101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + PHOTO, FAILED),
    "status 999": (response(b"HTTP/1.1 999 Odd\r\n"), FAILED),
}
KINDS = {"slow": SLOW, "endless": ENDLESS, "compressed": COMPRESSED, "lying": LYING}
