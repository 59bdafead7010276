"""Turns for parsing: what is parsed in one, and in which order connections get theirs."""

import asyncio
import random
import re
from collections.abc import Callable

import h11
import pytest
from h11 import _abnf, _readers

from inference.server.turns import BYTES_A_CHUNK, FREE_CHUNKS, PacedConnection, Turns

HEAD = b"POST /invocations HTTP/1.1\r\nHost: dogs\r\nTransfer-Encoding: chunked\r\n\r\n"


def connection(received: bytes) -> PacedConnection:
    made = PacedConnection(16_384)
    made.start_turn(float("inf"))
    made.receive_data(received)
    return made


def events(paced: PacedConnection) -> list[object]:
    """Everything up to NEED_DATA or PAUSED."""
    return list(iter(paced.next_event, h11.NEED_DATA))


def chunk(size: int) -> bytes:
    return b"%x\r\n" % size + bytes(size) + b"\r\n"


def test_a_turn_that_is_over_parses_nothing_and_the_next_one_goes_on() -> None:
    paced = connection(HEAD + chunk(5) + b"0\r\n\r\n")
    paced.start_turn(-1)
    assert paced.next_event() is h11.NEED_DATA
    assert paced.turn_is_over

    paced.start_turn(float("inf"))
    assert [type(event) for event in events(paced)] == [h11.Request, h11.Data, h11.EndOfMessage]
    assert not paced.turn_is_over


def test_the_chunks_of_usual_clients_are_accepted() -> None:
    received = events(connection(HEAD + chunk(4096) * 1536 + b"0\r\n\r\n"))
    assert sum(len(event.data) for event in received if isinstance(event, h11.Data)) == 6 * 2**20


def test_tiny_chunks_are_accepted_up_to_a_number() -> None:
    assert len(events(connection(HEAD + chunk(1) * FREE_CHUNKS + b"0\r\n\r\n"))) == FREE_CHUNKS + 2
    assert len(events(connection(HEAD + chunk(BYTES_A_CHUNK) * 5000 + b"0\r\n\r\n"))) == 5002

    paced = connection(HEAD + chunk(1) * (FREE_CHUNKS + 10) + b"0\r\n\r\n")
    with pytest.raises(h11.RemoteProtocolError):
        events(paced)
    assert paced.too_many_chunks


def test_chunks_that_arrive_in_pieces_are_counted_once() -> None:
    paced = connection(HEAD)
    for byte in chunk(2000) * 2 + b"0\r\n\r\n":
        paced.receive_data(bytes([byte]))
        events(paced)
    assert not paced.too_many_chunks
    assert paced.their_state is h11.DONE


PATTERNS = {
    "header_field": (b"a:", b" \t:ab\0\r\x0b\xff", b""),
    "chunk_header": (b"1", b" \t;a1\0\r\n\xff", b"\r\n"),
}
"""The patterns that turns.py replaces: how a line begins, what random lines have in the middle, and their end."""


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_matches_what_h11s_own_matches(name: str) -> None:
    own, draw = re.compile(getattr(_abnf, name).encode()), random.Random(0)
    replaced = getattr(_readers, f"{name}_re")
    assert replaced.pattern != own.pattern
    start, middle, end = PATTERNS[name]
    lines = [start + bytes(draw.choices(middle, k=draw.randrange(9))) + end for _ in range(20_000)]

    def groups(pattern: re.Pattern[bytes], line: bytes) -> dict[str, bytes] | None:
        found = pattern.fullmatch(line)
        return found and found.groupdict()

    matched = [groups(own, line) for line in lines]
    assert [groups(replaced, line) for line in lines] == matched
    assert min(matched.count(None), len(lines) - matched.count(None)) > 1000


@pytest.mark.parametrize("name", PATTERNS)
def test_h11_parses_with_the_pattern_that_is_replaced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an update of h11 renamed it, the replacement would have no effect."""
    received = HEAD + chunk(5) + b"0\r\n\r\n"
    assert events(connection(received))
    monkeypatch.setattr(_readers, f"{name}_re", re.compile(b"matches no line"))
    with pytest.raises(h11.RemoteProtocolError):
        events(connection(received))


def test_connections_take_turns_in_the_order_in_which_they_came() -> None:
    async def order() -> list[str]:
        turns, taken, all_taken = Turns(), list[str](), asyncio.Event()

        def caller(name: str, times: int) -> Callable[[], None]:
            def take_turn() -> None:
                taken.append(name)
                if taken.count(name) < times:
                    turns.add(take_turn)
                elif name == "c":
                    all_taken.set()

            return take_turn

        turns.add(caller("a", 3))
        turns.add(caller("b", 2))
        turns.add(caller("c", 4))
        await all_taken.wait()
        return taken

    assert "".join(asyncio.run(order())) == "abcabcacc"


def test_a_turn_that_fails_does_not_keep_others_from_theirs() -> None:
    async def others() -> None:
        def fail() -> None:
            raise ValueError

        turns, taken = Turns(), asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        turns.add(fail)
        turns.add(taken.set)
        await taken.wait()

    asyncio.run(others())
