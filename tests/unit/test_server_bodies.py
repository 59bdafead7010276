"""What bodies, and what is made of them, take of the memory that all of them share."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from inference.server.bodies import BodyBuffer
from inference.server.errors import RequestError


async def stream(content: bytes, chunk: int) -> AsyncIterator[bytes]:
    for at in range(0, len(content), chunk):
        yield content[at : at + chunk]


def test_a_body_of_one_byte_chunks_takes_no_more_than_its_bytes_twice() -> None:
    size = 200_000
    buffer, content = BodyBuffer(max_bytes=size, memory=size, timeout_s=60), bytes(size)

    async def peak() -> int:
        tracemalloc.start()
        try:
            async with buffer.body(stream(content, 1)) as body:
                assert body == content
                return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert asyncio.run(peak()) < 2.5 * size  # the growing buffer, and its copy once it is complete


def test_what_is_made_of_a_body_leaves_less_room_for_others() -> None:
    buffer = BodyBuffer(max_bytes=8, memory=10, timeout_s=60)

    async def two_bodies() -> None:
        async with buffer.body(stream(bytes(4), 4)):
            async with buffer.hold(6):
                with pytest.raises(RequestError, match="Too many photos"):
                    async with buffer.body(stream(bytes(4), 4)):
                        pass
            async with buffer.body(stream(bytes(4), 4)) as body:
                assert body == bytes(4)

    asyncio.run(two_bodies())


def test_of_what_does_not_fit_beside_the_bodies_one_is_made_at_a_time() -> None:
    buffer, running, most = BodyBuffer(max_bytes=8, memory=8, timeout_s=60), 0, 0

    async def make() -> None:
        nonlocal running, most
        async with buffer.hold(6):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)  # let the others run
            running -= 1

    async def full() -> None:
        async with buffer.body(stream(bytes(8), 8)):
            await asyncio.gather(*(make() for _ in range(5)))
        async with buffer.body(stream(bytes(8), 8)) as body:  # everything was given back
            assert body == bytes(8)

    asyncio.run(full())
    assert most == 1


@pytest.mark.parametrize("size", [9, 100])
def test_a_body_that_is_refused_leaves_nothing(size: int) -> None:
    buffer = BodyBuffer(max_bytes=8, memory=8, timeout_s=60)

    async def refused() -> None:
        with pytest.raises(RequestError, match="larger"):
            async with buffer.body(stream(bytes(size), 3)):
                pass
        async with buffer.body(stream(bytes(8), 8)) as body:
            assert body == bytes(8)

    asyncio.run(refused())


def test_an_upload_that_was_dropped_and_goes_on_before_it_notices_is_refused() -> None:
    buffer = BodyBuffer(max_bytes=8, memory=10, timeout_s=60)

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(4)
        await asyncio.sleep(0)  # its next step is due when the other body drops it
        yield bytes(1)

    async def dropped() -> None:
        with pytest.raises(RequestError, match="Too many photos"):
            async with buffer.body(slow()):
                pass

    async def complete() -> None:
        async with buffer.body(stream(bytes(7), 7)):
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(dropped(), complete())
        async with buffer.body(stream(bytes(8), 8)) as body:
            assert body == bytes(8)

    asyncio.run(both())
