"""Callers who open connections and leave them, or send a byte at a time, do not keep others from an answer."""

import asyncio
import contextlib
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from inference.server.app import BODIES_BYTES, MAX_BODY_BYTES
from inference.server.bodies import BodyBuffer
from inference.server.connections import MAX_CONNECTIONS, SPARE_FILES, connection_limit
from inference.server.errors import RequestError
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.security.confinement import resident

HEAD = b"POST /invocations HTTP/1.1\r\nHost: dogs\r\nContent-Type: image/jpeg\r\n"
FILES = 400

SHORT_TIMEOUT = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))
from inference.server import connections
from inference.server import main as server
connections.HEAD_TIMEOUT_S = float(sys.argv.pop(1))
sys.exit(server.main())
"""


@contextlib.contextmanager
def serving(folder: Path, *, head_s: float) -> Iterator[Server]:
    """A server of few file descriptors that waits `head_s` seconds for a request's head."""
    model = write_artifact(folder / "model")
    command = [sys.executable, "-c", SHORT_TIMEOUT, str(head_s), "--model-dir", str(model), "--port", "0"]
    with listening(model, folder / "logs", command=command) as server:
        server.wait_until_ready()
        yield server
        assert server.child.exit_code() is None
        assert "Traceback" not in server.log()


@contextlib.contextmanager
def connections(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30)))
            with contextlib.suppress(ConnectionError):  # the server may have closed it already
                opened[-1].sendall(sent)
        yield opened


def is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(65536):
            pass
        return True
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /ping HT",
        HEAD,
        HEAD + b"Content-Length: 9999\r\n\r\n\xff\xd8",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "no chunk"],
)
def test_more_connections_than_files_do_not_stop_others(tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path, head_s=60) as server, connections(server, 2 * FILES, sent) as opened:
        assert server.invoke(any_photo()).status_code == 200
        assert is_closed(opened[0])  # the oldest gave way


def test_a_caller_in_the_middle_of_an_answer_does_not_give_way(tmp_path: Path) -> None:
    """Only who owes bytes does: an idle connection, or a photo that has not arrived."""
    photo = any_photo()
    with serving(tmp_path, head_s=60) as server, httpx.Client(base_url=server.url) as kept:
        assert kept.get("/ping").status_code == 200
        with connections(server, FILES - SPARE_FILES - 20, b""):
            answer = kept.post("/invocations", content=photo, headers={"content-type": "image/jpeg"})
            assert answer.status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /ping HT", HEAD], ids=["nothing", "half a line", "half a head"])
def test_a_head_that_does_not_arrive_is_not_waited_for(tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path, head_s=0.2) as server, connections(server, 3, sent) as opened:
        assert all(map(is_closed, opened))
        assert server.invoke(any_photo()).status_code == 200


def test_nor_is_a_second_head(tmp_path: Path) -> None:
    with (
        serving(tmp_path, head_s=0.2) as server,
        connections(server, 1, b"GET /ping HTTP/1.1\r\nHost: dogs\r\n\r\n") as (connection,),
    ):
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /ping HT")
        assert is_closed(connection)


def test_an_idle_connection_may_be_kept_and_used_again(tmp_path: Path) -> None:
    with serving(tmp_path, head_s=0.2) as server, httpx.Client(base_url=server.url) as kept:
        kept.get("/ping")
        with connections(server, 1, b"") as (clock,):
            assert is_closed(clock)  # longer than `head_s` has passed
        opened = list(kept._transport._pool.connections)  # type: ignore[attr-defined]
        assert kept.get("/ping").status_code == 200
        assert list(kept._transport._pool.connections) == opened  # type: ignore[attr-defined]


def test_bodies_that_do_not_end_share_a_fixed_memory_and_give_way(tmp_path: Path) -> None:
    body = HEAD + b"Content-Length: %d\r\n\r\n" % MAX_BODY_BYTES + bytes(MAX_BODY_BYTES - 1)
    with serving(tmp_path, head_s=60) as server:
        before = resident(server.child.pid)
        with connections(server, 40, body):  # 240 MB
            assert server.invoke(any_photo()).status_code == 200
            assert resident(server.child.pid, peak=True) - before < BODIES_BYTES + 40 * 2**20


def test_as_many_connections_as_there_are_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def limited_to(files: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
        return connection_limit()

    assert limited_to(1_000_000) == limited_to(resource.RLIM_INFINITY) == MAX_CONNECTIONS
    assert limited_to(1000) == 1000 - SPARE_FILES
    assert limited_to(10) == 1


# -- the buffer itself -----------------------------------------------------------------------------------------------


async def arriving(*chunks: bytes, then: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if then:
        await then.wait()


def test_the_one_that_has_been_arriving_for_longest_gives_way() -> None:
    async def play() -> list[object]:
        buffer, never = BodyBuffer(max_bytes=100, memory=150, timeout_s=60), asyncio.Event()

        async def receive(stream: AsyncIterator[bytes]) -> object:
            try:
                async with buffer.body(stream) as body:
                    return len(body)
            except RequestError as error:
                return error.status

        oldest = asyncio.create_task(receive(arriving(bytes(60), then=never)))
        await asyncio.sleep(0)
        older = asyncio.create_task(receive(arriving(bytes(60), then=never)))
        await asyncio.sleep(0)
        newest = await receive(arriving(bytes(40)))
        given_up = await oldest
        again = await receive(arriving(bytes(90)))
        never.set()
        return [given_up, newest, again, await older]

    assert asyncio.run(play()) == [429, 40, 90, 60]


def test_what_has_arrived_is_kept_and_the_newcomer_sent_away() -> None:
    async def play() -> list[object]:
        buffer = BodyBuffer(max_bytes=100, memory=150, timeout_s=60)
        async with buffer.body(arriving(bytes(100))) as body:
            with pytest.raises(RequestError) as refused:
                async with buffer.body(arriving(bytes(60))):
                    pass
            statuses = [len(body), refused.value.status]
        async with buffer.body(arriving(bytes(60))) as body:
            return [*statuses, len(body)]

    assert asyncio.run(play()) == [100, 429, 60]
