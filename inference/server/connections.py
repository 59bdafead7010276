"""Connections that cost their maker nothing must cost the server nothing: half-open ones and slow ones are closed."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 15
"""A request's head has this long to arrive. Not an idle connection's next one: uvicorn's keep-alive is for that."""

MAX_CONNECTIONS = 1000
BACKLOG = 32
"""Connections that are accepted in one turn of the event loop."""

SPARE_FILES = 256
"""File descriptors that connections leave free: for the log, the model, and some turns of the loop, which accepts new
connections before it has closed the old ones."""


def most_connections() -> int:
    """As many as the process may open files for, and no more than MAX_CONNECTIONS."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, max(files - SPARE_FILES, 1))


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with an end to its patience.

    uvicorn waits for ever for a first request, and for the rest of any head. When there are too many connections, the
    oldest that still owes bytes is closed for the newest.
    """

    _open: dict["PatientProtocol", None]
    """Oldest first; `patient` makes one for each server."""
    _most: int

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head: asyncio.TimerHandle | None = None
        self._open[self] = None
        if len(self._open) > self._most:
            closed = next((other for other in self._open if other._owes_bytes()), self)
            del self._open[closed]
            closed.transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.pop(self, None)
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _owes_bytes(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _watch(self) -> None:
        """Start the clock where a head is awaited, and stop it where none is."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.timeout_keep_alive_task is not None:
            self._forget()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_S, self.transport.abort)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def patient(most: int | None = None) -> type[PatientProtocol]:
    """The protocol for one server of at most `most` connections (default: `most_connections`)."""
    members: dict[str, Any] = {"_open": {}, "_most": most_connections() if most is None else most}
    return type("Patient", (PatientProtocol,), members)
