"""Close idle, half-open and slow connections. docs/decisions/0067 says why uvicorn's own limits are not enough."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_S = 15
"""How long a request's head may take to arrive. A kept connection may be idle for longer: uvicorn limits that."""

MAX_CONNECTIONS = 1000
BACKLOG = 32
"""The most connections that are accepted in one iteration of the event loop."""

SPARE_FILES = 256
"""File descriptors that connections leave free: for the log, the model, and a few iterations of the loop, which accepts
new connections before it has closed the old ones."""


def connection_limit() -> int:
    """MAX_CONNECTIONS, or fewer if the process may not open that many files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, max(files - SPARE_FILES, 1))


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a timeout for a request's head and a limit on connections.

    uvicorn waits without limit for a connection's first request, and for the rest of any head. Above the limit, the
    oldest connection that has not sent its whole request is closed; one that waits for its response never is.
    """

    _open: dict["LimitedProtocol", None]
    """The open connections, oldest first. `limited_protocol` makes one such dict for each server."""
    _limit: int

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timeout: asyncio.TimerHandle | None = None
        self._open[self] = None
        if len(self._open) > self._limit:
            closed = next((other for other in self._open if other._awaits_request()), self)
            del self._open[closed]
            closed.transport.abort()
        self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.pop(self, None)
        self._cancel_timeout()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update_timeout()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update_timeout()

    def _awaits_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _update_timeout(self) -> None:
        """Start the timeout if the connection waits for a head, and cancel it if not."""
        responding = self.cycle is not None and not self.cycle.response_complete
        if responding or self.timeout_keep_alive_task is not None:
            self._cancel_timeout()
        elif self._head_timeout is None:
            self._head_timeout = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _cancel_timeout(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None


def limited_protocol(limit: int | None = None) -> type[LimitedProtocol]:
    """The protocol class for one server of at most `limit` connections (default: `connection_limit`)."""
    members: dict[str, Any] = {"_open": {}, "_limit": connection_limit() if limit is None else limit}
    return type("ServerProtocol", (LimitedProtocol,), members)
