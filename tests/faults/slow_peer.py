"""A peer that never ends its response, or never begins one: what botocore's own timeouts do not end."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from tests.patience import PATIENCE_S

EVERY_S = 0.05
"""Between two bytes: far below each timeout of one operation."""
READ_BYTES = 65_536

Speaks: TypeAlias = "Callable[[SlowPeer, socket.socket], None]"

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WRONG = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"


class SlowPeer:
    """Accepts connections and `speaks` on each. Counts the connections, those that are open, and the bytes sent."""

    def __init__(self, speaks: Speaks, *, certificate: Path | None) -> None:
        self._speaks = speaks
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        # a small buffer, so that a request that is not read fills it
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._lock = threading.Lock()
        self.released = threading.Event()
        self.connections = self.open = self.sent = 0
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://localhost:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                    self.open += 1
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """A byte at a time, over and over, until the other side closes the connection or the test ends."""
        while True:
            for byte in data:
                if self.released.wait(EVERY_S):
                    return
                self.send(connection, bytes([byte]))

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self._speaks(self, connection)
        with self._lock:
            self.open -= 1


@contextmanager
def slow_peer(speaks: Speaks, *, certificate: Path | None = None) -> Iterator[SlowPeer]:
    """certificate: a PEM file with a key and a certificate for localhost; with it the peer speaks TLS."""
    peer = SlowPeer(speaks, certificate=certificate)
    threading.Thread(target=peer.serve, daemon=True).start()
    try:
        yield peer
    finally:
        peer.close()


def says_nothing(_: SlowPeer, connection: socket.socket) -> None:
    connection.settimeout(PATIENCE_S)
    while connection.recv(READ_BYTES):  # until the other side closes the connection
        pass


def reads_nothing(peer: SlowPeer, _: socket.socket) -> None:
    """Not even the request, so that its sender waits once the buffers are full."""
    peer.released.wait(PATIENCE_S)


def drips(start: bytes, then: bytes) -> Speaks:
    """Sends `start` at once, and then `then` a byte at a time."""

    def speaks(peer: SlowPeer, connection: socket.socket) -> None:
        connection.recv(READ_BYTES)
        peer.send(connection, start)
        peer.drip(connection, then)

    return speaks


def floods(start: bytes, then: bytes) -> Speaks:
    """Sends `start`, and then `then` over and over, as fast as the other side reads."""

    def speaks(peer: SlowPeer, connection: socket.socket) -> None:
        connection.recv(READ_BYTES)
        peer.send(connection, start)
        while not peer.released.is_set():
            peer.send(connection, then)

    return speaks
