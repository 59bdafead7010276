"""Close idle, half-open and slow connections, and those whose caller does not read. docs/decisions/0067 says why
uvicorn's own limits are not enough."""

import asyncio
import json
import resource
from typing import Any

import h11
from starlette.responses import JSONResponse
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.h11_impl import H11Protocol

from inference.server.errors import REFUSED, BusyError
from inference.server.log import log
from inference.server.turns import BYTES_A_CHUNK, SMALL_BYTES, TURN_S, PacedConnection, PacedFlow, Turns

HEAD_TIMEOUT_S = 15
"""How long a request's head may take to arrive. A kept connection may be idle for longer: uvicorn limits that."""

MAX_HEAD_BYTES = 16 * 1024

WRITE_TIMEOUT_S = 20
"""How long a response may wait for its caller to read what was sent before."""

LINGER_S = 2
"""After a request that is not HTTP, the connection stays open for the caller to read why. Closed at once, it would be
reset while the caller still sends, and the response lost."""

MAX_CONNECTIONS = 1000
BACKLOG = 32
"""The most connections that are accepted in one iteration of the event loop."""

SPARE_FILES = 256
"""File descriptors that connections leave free: for the log, the model, and a few iterations of the loop, which accepts
new connections before it has closed the old ones."""

NEWEST = 3 * BACKLOG
"""Connections whose request may not have been read although it was sent: BACKLOG come in each iteration of the loop,
and a request is read in the second after its connection came."""

PING_CONNECTIONS = NEWEST
"""Connections above the limit, while each of the others waits for a response. On them only /ping is answered."""

READ_BYTES = 64 * 1024
HEAD_READ_BYTES = 4 * 1024
"""Bytes of one read: of a body whose length is known, and of anything else, whose bytes may take longer to parse."""


def connection_limit() -> int:
    """MAX_CONNECTIONS, or fewer if the process may not open that many files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, max(files - SPARE_FILES, 1))


class LimitedProtocol(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's HTTP/1.1 protocol with timeouts, a limit on connections, and turns for parsing.

    uvicorn waits without limit for a connection's first request, for the rest of any head, and for a caller that does
    not read. Above the limit, the oldest connection is closed that has not sent its whole request, has sent more than
    one request, or does not read its response. One that only waits for its response never is. If all do, /ping is still
    answered: SageMaker replaces an instance that does not.
    """

    _open: dict["LimitedProtocol", None]
    """The open connections, oldest first. `limited_protocol` makes one such dict for each server."""
    _limit: int
    _turns: Turns
    _buffer: memoryview
    """What is read, until it is copied. One for each server: a read ends before the next begins."""

    conn: PacedConnection
    flow: PacedFlow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.conn = PacedConnection(MAX_HEAD_BYTES)
        self.flow = PacedFlow(transport)
        transport.set_write_buffer_limits(high=0)  # so that pause_writing is called whenever bytes wait to be sent
        self._head_timeout: asyncio.TimerHandle | None = None
        self._write_timeout: asyncio.TimerHandle | None = None
        self._refused = False
        self._pings_alone = False
        self._open[self] = None
        if len(self._open) > self._limit:
            self._make_room()
        self._update_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.pop(self, None)
        self._cancel_timeout()
        self.resume_writing()
        super().connection_lost(exc)

    # -- reading -----------------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio passes it
        return self._buffer if self._receives_body() else self._buffer[:HEAD_READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        if not self._refused:
            self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._update_timeout()

    def handle_events(self) -> None:
        """Parse what has been received: at once if that takes little time, else when the connection's turn comes."""
        if self.flow.waits:
            return
        if self._receives_body() or self.conn.unparsed() <= SMALL_BYTES:
            self.conn.start_turn(float("inf"))
            super().handle_events()
        else:
            self.flow.waits = True
            self._turns.add(self._take_turn)

    def _take_turn(self) -> None:
        if self.transport.is_closing():
            return
        self.conn.start_turn(TURN_S)
        super().handle_events()
        self.flow.waits = self.conn.turn_is_over
        if self.conn.turn_is_over:
            self._turns.add(self._take_turn)
        self._update_timeout()

    def _receives_body(self) -> bool:
        """Whether the body of a request arrives whose length is known. Its bytes are not parsed."""
        return (
            self.conn.their_state is h11.SEND_BODY
            and self.conn.our_state is h11.SEND_RESPONSE
            and any(name == b"content-length" for name, _ in self.headers)
            and not any(name == b"transfer-encoding" for name, _ in self.headers)
        )

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update_timeout()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn passes it
        """Refuse a request that is not HTTP, and close the connection after LINGER_S."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # the request has its response already
            self.transport.close()
            return
        code, message = "bad_request", f"The request is not HTTP/1.1, or its head has more than {MAX_HEAD_BYTES} bytes."
        if self.conn.too_many_chunks:
            message = f"The body's chunks are too small; send at least {BYTES_A_CHUNK} bytes in each."
            code = "too_many_chunks"
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=400, reason=b"Bad Request", headers=headers)
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.scope["state"][REFUSED] = code
            self.cycle.disconnected = True  # the application reads no more of this body
            self.cycle.message_event.set()
        self._refused = True
        self.flow.resume_reading()  # to drop what still comes
        self.loop.call_later(LINGER_S, self.transport.close)

    # -- limits ------------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timeout = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timeout is not None:
            self._write_timeout.cancel()
            self._write_timeout = None

    def _make_room(self) -> None:
        """Close a connection, or keep this one for /ping alone."""
        older = list(self._open)[:-NEWEST]
        closed = next((other for other in older if other._may_be_closed() and not other._pings_alone), None)
        if closed is None:
            self._pings_alone, self.app = True, _ping_alone(self.app)
            if len(self._open) <= self._limit + PING_CONNECTIONS:
                return
            closed = next((other for other in self._open if other._may_be_closed() and other._pings_alone), self)
        del self._open[closed]
        closed.transport.abort()

    def _may_be_closed(self) -> bool:
        awaits_request = self.cycle is None or self.cycle.response_complete or self.cycle.more_body
        has_sent_more = self.conn.their_state is h11.DONE and self.conn.unparsed() > 0
        return awaits_request or has_sent_more or self.flow.write_paused

    def _update_timeout(self) -> None:
        """Start the timeout if the connection waits for a head, and cancel it if not."""
        responding = self.cycle is not None and not self.cycle.response_complete
        if responding or self.timeout_keep_alive_task is not None or self._refused:
            self._cancel_timeout()
        elif self._head_timeout is None:
            self._head_timeout = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _cancel_timeout(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None


def _ping_alone(app: ASGI3Application) -> ASGI3Application:
    """The application for a connection above the limit: /ping, and 429 for anything else."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/ping":
            await app(scope, receive, send)
            return
        error = BusyError("Too many requests wait for a response; try again in a second.", retry_after_s=1)
        log("refused", status=error.status, code=error.code)
        headers = {"Retry-After": str(error.retry_after_s), "Connection": "close"}
        document = {"error": {"code": error.code, "message": error.message}}
        await JSONResponse(document, status_code=error.status, headers=headers)(scope, receive, send)

    return answer


def limited_protocol(limit: int | None = None) -> type[LimitedProtocol]:
    """The protocol class for one server of at most `limit` connections (default: `connection_limit`)."""
    members: dict[str, Any] = {
        "_open": {},
        "_limit": connection_limit() if limit is None else limit,
        "_turns": Turns(),
        "_buffer": memoryview(bytearray(READ_BYTES)),
    }
    return type("ServerProtocol", (LimitedProtocol,), members)
