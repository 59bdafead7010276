"""Share the event loop among connections: parsing what one caller sent does not keep others from a response.

What a byte costs depends on its sender. A chunk of one byte takes as long to parse as one of 64 kB. docs/decisions/0098
has the measurements, and says why the parser is still h11.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable

import h11
from h11 import _abnf, _readers
from uvicorn.protocols.http.flow_control import FlowControl

SMALL_BYTES = 1024
"""Input of this size is parsed at once: a request for /ping has 40 to 200 bytes. More of it waits for its turn."""

TURN_S = 0.001
"""Seconds after which a connection waits for its next turn."""

ITERATION_S = 0.01
"""Seconds that all turns together may take in one iteration of the event loop."""

FREE_CHUNKS = 1000
BYTES_A_CHUNK = 128
"""A chunked body may have FREE_CHUNKS chunks, and one more for each BYTES_A_CHUNK bytes. Clients send 4 kB to 64 kB."""

# h11 0.16 tries each way to divide the spaces of an invalid line between two parts of a pattern: 15 kB of them took
# 0.7 s in a header field and 1.4 s in a chunk's header, 250 kB would take minutes. The patterns below match the same
# lines in linear time. They can go when test_turns.py passes without them.
_readers.header_field_re = re.compile(_abnf.header_field.replace(f":{_abnf.OWS}", f":{_abnf.OWS}+", 1).encode("ascii"))
_EXTENSION = f"(?P<chunk_ext>{_abnf.chunk_ext})"
_readers.chunk_header_re = re.compile(
    _abnf.chunk_header.replace(f"{_EXTENSION}?{_abnf.OWS}", f"(?:{_EXTENSION}|{_abnf.OWS})").encode("ascii")
)


class Turns:
    """The connections that wait until their input is parsed, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def add(self, take_turn: Callable[[], None]) -> None:
        """Call `take_turn` when its turn comes. It may add itself again."""
        self._waiting.append(take_turn)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        end = time.perf_counter() + ITERATION_S
        try:
            while self._waiting and time.perf_counter() < end:
                self._waiting.popleft()()
        finally:
            self._schedule()


class PacedConnection(h11.Connection):
    """h11's parser. It stops when a turn is over, and refuses a body of too many chunks."""

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_head_bytes)
        self.turn_is_over = False
        self.too_many_chunks = False
        self._turn_end = float("inf")
        self._chunks = 0
        self._body_bytes = 0

    def start_turn(self, seconds: float) -> None:
        self.turn_is_over = False
        self._turn_end = time.perf_counter() + seconds

    def unparsed(self) -> int:
        """Bytes that have been received and not parsed."""
        return len(self.trailing_data[0])

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As in h11, but NEED_DATA too when the turn is over.

        Raises h11.RemoteProtocolError for invalid input and for too many chunks.
        """
        if time.perf_counter() > self._turn_end:
            self.turn_is_over = True
            return h11.NEED_DATA
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._body_bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._body_bytes += len(event.data)
            if self._chunks > FREE_CHUNKS + self._body_bytes // BYTES_A_CHUNK:
                self.too_many_chunks = True
                raise h11.RemoteProtocolError("too many chunks")
        return event


class PacedFlow(FlowControl):
    """uvicorn's flow control. Nothing is read from a connection that waits for its turn either."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._waits = False

    @property
    def waits(self) -> bool:
        """Whether the connection waits for its turn."""
        return self._waits

    @waits.setter
    def waits(self, waits: bool) -> None:
        self._waits = waits
        self._update()

    def pause_reading(self) -> None:
        self.read_paused = True
        self._update()

    def resume_reading(self) -> None:
        self.read_paused = False
        self._update()

    def _update(self) -> None:
        if self.read_paused or self._waits:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
