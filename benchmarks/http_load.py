"""A load generator with little overhead: prepared requests over persistent connections, one connection for each
thread."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    seconds: float
    """From the first byte sent to the last byte received."""


def invocation(photo: bytes, content_type: str = "image/jpeg") -> bytes:
    """The complete HTTP request for one photo."""
    head = (
        "POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(photo)}\r\n\r\n"
    )
    return head.encode() + photo


class Connection:
    """One persistent HTTP connection to a server on this machine. It reconnects if the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, request: bytes) -> Response:
        """Send one request. Raises OSError if the connection breaks before the response is complete."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end].decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        body = received[end + 4 :]
        while len(body) < int(fields["content-length"]):
            body += self._more()
        response = Response(int(head.split(" ", 2)[1]), body, time.perf_counter() - started)
        if fields.get("connection") == "close":
            self.__exit__()
        return response

    def _more(self) -> bytes:
        assert self._socket is not None  # noqa: S101 - for mypy
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection before its response was complete")
        return chunk


def drive(port: int, requests: Sequence[bytes], *, concurrency: int) -> list[Response | OSError]:
    """Send `requests` over `concurrency` connections. Each connection sends its next request after the last response.

    Returns one entry for each request, in the same order. An OSError is a request that was lost.
    """
    responses: list[Response | OSError] = [ConnectionError("never sent")] * len(requests)
    numbers = iter(range(len(requests)))
    taking = threading.Lock()

    def client() -> None:
        with Connection(port) as connection:
            while True:
                with taking:
                    number = next(numbers, None)
                if number is None:
                    return
                try:
                    responses[number] = connection.send(requests[number])
                except OSError as error:
                    responses[number] = error
                    connection.__exit__()

    clients = [threading.Thread(target=client) for _ in range(concurrency)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return responses
