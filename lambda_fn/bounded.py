"""Run one call to AWS until a time and up to a number of bytes, whatever its connection does.

botocore's timeouts are limits of one operation on a socket. A peer that sends a byte a second never reaches them, and
the look-up of a name in DNS has no timeout at all. So the call runs in a thread, and at its time limit the caller
continues without it. The thread's connection is shut down, which ends the thread; a thread that has no connection yet
ends as soon as it gets one (docs/decisions/0105).
"""

import contextlib
import io
import socket
import threading
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any, TypeVar

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool

T = TypeVar("T")

HEAD_BYTES = 65_536
"""Of a response, beside its body."""


class DeadlineError(Exception):
    """The call had not ended at its time limit."""


class TooManyBytesError(Exception):
    """The response has more bytes than the call allows."""


def bounded(work: Callable[[], T], *, seconds: float, max_bytes: int) -> T:
    """The result of `work()`, which makes one call with botocore and reads its response to the end.

    max_bytes: of the response's body, an error's included.
    Raises DeadlineError after `seconds`, TooManyBytesError for a longer response, and what `work` raises.
    """
    call = _Call(max_bytes + HEAD_BYTES)
    results: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        _thread.call = call
        try:
            results.append(work())
        except BaseException as error:  # raised again below, in the caller's thread
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="call", daemon=True).start()
    if not ended.wait(seconds):
        call.abandon()
        raise DeadlineError(f"The call had not ended after {seconds:.1f} s.")
    if call.left_bytes < 0:
        raise TooManyBytesError(f"The response has more than {max_bytes:,} bytes.")
    if errors:
        raise errors.pop()  # not kept in this frame, which the error refers to
    return results[0]


def use(sock: socket.socket) -> None:
    """Record the socket of the call that runs in this thread, which is shut down if the call is abandoned.

    For connections that are not botocore's. Raises DeadlineError if the call's caller waits no longer.
    """
    if call := getattr(_thread, "call", None):
        call.use(sock)


def allow_more(more_bytes: int) -> None:
    """Let the call that runs in this thread read more bytes than `bounded` allowed."""
    if call := getattr(_thread, "call", None):
        call.left_bytes += more_bytes


class _Call:
    """What the connection of a call asks before it goes on."""

    def __init__(self, max_bytes: int) -> None:
        self.left_bytes = max_bytes
        self._lock = threading.Lock()
        self._abandoned = False
        self._socket: socket.socket | None = None

    def use(self, sock: socket.socket | None) -> None:
        """Record the connection's socket. Raises DeadlineError if the call's caller waits no longer."""
        with self._lock:
            if self._abandoned:
                raise DeadlineError("The call was abandoned.")
            self._socket = sock

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the peer may have closed it
                # not its own method: under TLS that changes the state that the call's thread reads with
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def count(self, read: int) -> None:
        """Raises TooManyBytesError once the response is longer than allowed."""
        self.left_bytes -= read
        if self.left_bytes < 0:
            raise TooManyBytesError


_thread = threading.local()


class _CountedStream(io.RawIOBase):
    """A connection's stream of bytes, counted."""

    def __init__(self, stream: io.RawIOBase, call: _Call) -> None:
        self._stream, self._call = stream, call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        read = self._stream.readinto(buffer)
        self._call.count(read or 0)
        return read

    def close(self) -> None:
        self._stream.close()
        super().close()


class CountedResponse(HTTPResponse):
    """A response whose bytes, head and body, are counted for the call that runs in this thread."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if call := getattr(_thread, "call", None):
            self.fp = io.BufferedReader(_CountedStream(self.fp.detach(), call))


class _Bounded:
    """Mixed into botocore's connections. Outside of `bounded` it changes nothing."""

    response_class = CountedResponse
    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._use()

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._use()  # a kept connection is not connected again
        return super().request(*args, **kwargs)  # type: ignore[misc]

    def _use(self) -> None:
        if call := getattr(_thread, "call", None):
            # the socket and not the connection, which drops it once a response says `Connection: close`
            call.use(self.sock)


class _HttpConnection(_Bounded, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HttpsConnection(_Bounded, AWSHTTPSConnection):  # type: ignore[misc]
    pass


# urllib3's way to choose the class of a pool's connections, for all clients of this process
AWSHTTPConnectionPool.ConnectionCls = _HttpConnection
AWSHTTPSConnectionPool.ConnectionCls = _HttpsConnection
