"""Accepts connections where the hosts can make them, and forwards each to a server of this machine.

Hosts in namespaces have no route to this machine's loopback interface. A socket that was opened in their network can be
accepted from outside it, so the forwarder is a thread of this process, and it ends with this process.
"""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK = 1 << 18


class Forwarder:
    """Forwards connections to `target` while the `with` block runs. listener: it is closed at the end."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self._listener = listener
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="forwarder", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._ended = True
            connections = [self._listener, *self._open]
        for each in connections:
            _shut(each)
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return  # the listener was closed
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            with self._lock:
                if self._ended:
                    return
                self._open |= {caller, server}
            back = threading.Thread(target=_copy, args=(server, caller), daemon=True)
            back.start()
            _copy(caller, server)
            back.join()
            with self._lock:
                self._open -= {caller, server}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
