"""A bounded buffer for request bodies. When it is full, the slowest upload is dropped first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference.server.errors import BusyError, RequestError


class BodyBuffer:
    """Buffers at most `memory` bytes of bodies and of what is made of them.

    Each body may have `max_bytes` bytes and take `timeout_s` seconds to arrive. If a new body does not fit, the oldest
    unfinished upload is dropped. A body that has arrived completely is kept until its block ends.
    """

    def __init__(self, *, max_bytes: int, memory: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._memory = memory
        self._timeout_s = timeout_s
        self._held = 0
        self._beyond = asyncio.Lock()
        self._arriving: dict[asyncio.Timeout, None] = {}  # oldest first

    @asynccontextmanager
    async def body(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """All bytes of `stream`, buffered for the block.

        Raises RequestError: 408 for a body that does not arrive in time, 413 for one that is too large, and 429 if
        there is no room.
        """
        arrived, whole = bytearray(), b""
        try:
            await self._read(stream, arrived)
            whole = bytes(arrived)
            arrived.clear()
            yield whole
        finally:
            self._held -= len(arrived) + len(whole)

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Count `size` bytes that are made of a body, for the block.

        Of those that do not fit beside the bodies, one is made at a time, so each gets its turn even if complete bodies
        fill the whole buffer.
        """
        fits = self._held + size <= self._memory
        async with contextlib.nullcontext() if fits else self._beyond:
            self._held += size
            try:
                yield
            finally:
                self._held -= size

    async def _read(self, stream: AsyncIterator[bytes], arrived: bytearray) -> None:
        size, deadline = 0, asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(deadline) as timeout:
                self._arriving[timeout] = None
                try:
                    async for chunk in stream:
                        size += len(chunk)
                        if size <= self._max_bytes:
                            arrived += chunk  # a list of chunks of one byte would take 40 times their size
                            self._held += len(chunk)
                            self._make_room(timeout)
                        elif size > 10 * self._max_bytes:  # until then read it and drop it, so that the caller sees 413
                            break
                finally:
                    self._arriving.pop(timeout, None)
        except TimeoutError:
            if asyncio.get_running_loop().time() < deadline:
                raise _busy() from None
            raise RequestError(
                408, "too_slow", f"The photo did not arrive within {self._timeout_s} s; send it again."
            ) from None
        if size > self._max_bytes:
            raise RequestError(
                413,
                "too_large",
                f"The body is larger than {self._max_bytes // 2**20} MiB; scale the photo down, or send the photos of "
                "a batch in several.",
            )

    def _make_room(self, newest: asyncio.Timeout) -> None:
        if self._held <= self._memory:
            return
        oldest = next(iter(self._arriving), newest)
        if oldest is newest or newest not in self._arriving:  # dropped already, and it has not noticed yet
            raise _busy()
        del self._arriving[oldest]
        oldest.reschedule(0)


def _busy() -> BusyError:
    return BusyError("Too many photos are arriving at once; try again in a second.", retry_after_s=1)
