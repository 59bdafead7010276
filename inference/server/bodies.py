"""Bodies of requests on their way in, within a fixed memory: who is slow gives way to who is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference.server.errors import BusyError, RequestError


class Intake:
    """Holds at most `memory` bytes of bodies, each of at most `largest` bytes and `seconds` to arrive.

    Where a new one does not fit, the one that has been arriving for longest is given up. One that has arrived is kept
    until its block is over.
    """

    def __init__(self, *, largest: int, memory: int, seconds: float) -> None:
        self._largest = largest
        self._memory = memory
        self._seconds = seconds
        self._held = 0
        self._arriving: dict[asyncio.Timeout, None] = {}  # oldest first

    @asynccontextmanager
    async def body(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The whole of `stream`, held for the block.

        Raises RequestError: 408 for one that does not arrive in time, 413 for one that is too large, and 429 where
        there is no room.
        """
        chunks: list[bytes] = []
        try:
            await self._read(stream, chunks)
            chunks = [b"".join(chunks)]
            yield chunks[0]
        finally:
            self._held -= sum(map(len, chunks))

    async def _read(self, stream: AsyncIterator[bytes], chunks: list[bytes]) -> None:
        size, given_up_at = 0, asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(given_up_at) as patience:
                self._arriving[patience] = None
                try:
                    async for chunk in stream:
                        size += len(chunk)
                        if size <= self._largest:
                            chunks.append(chunk)
                            self._held += len(chunk)
                            self._make_room(patience)
                        elif size > 10 * self._largest:  # up to there it is read and dropped
                            break
                finally:
                    self._arriving.pop(patience, None)
        except TimeoutError:
            if asyncio.get_running_loop().time() < given_up_at:
                raise _busy() from None
            raise RequestError(
                408, "too_slow", f"The photo did not arrive within {self._seconds} s; send it again."
            ) from None
        if size > self._largest:
            raise RequestError(
                413, "too_large", f"The photo is larger than {self._largest // 2**20} MiB; scale it down."
            )

    def _make_room(self, newest: asyncio.Timeout) -> None:
        if self._held <= self._memory:
            return
        oldest = next(iter(self._arriving))
        if oldest is newest:
            raise _busy()
        del self._arriving[oldest]
        oldest.reschedule(0)


def _busy() -> BusyError:
    return BusyError("Too many photos are arriving at once; try again in a second.", retry_after_s=1)
