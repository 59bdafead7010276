"""Callers that leave connections open or send slowly do not keep other callers from a response."""

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
from tests.patience import PATIENCE_S
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
    """A server with few file descriptors that waits `head_s` seconds for a request's head."""
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
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)))
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
def test_more_connections_than_file_descriptors_do_not_stop_others(tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path, head_s=60) as server, connections(server, 2 * FILES, sent) as opened:
        assert server.invoke(any_photo()).status_code == 200
        assert is_closed(opened[0])  # the oldest was closed


def test_a_connection_that_waits_for_its_response_is_not_closed(tmp_path: Path) -> None:
    """Only connections that have not sent a whole request are closed."""
    photo = any_photo()
    with serving(tmp_path, head_s=60) as server, httpx.Client(base_url=server.url) as kept:
        assert kept.get("/ping").status_code == 200
        with connections(server, FILES - SPARE_FILES - 20, b""):
            answer = kept.post("/invocations", content=photo, headers={"content-type": "image/jpeg"})
            assert answer.status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /ping HT", HEAD], ids=["nothing", "half a line", "half a head"])
def test_a_connection_whose_head_does_not_arrive_is_closed(tmp_path: Path, sent: bytes) -> None:
    with serving(tmp_path, head_s=0.2) as server, connections(server, 3, sent) as opened:
        assert all(map(is_closed, opened))
        assert server.invoke(any_photo()).status_code == 200


def test_a_connection_whose_second_head_does_not_arrive_is_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path, head_s=0.2) as server,
        connections(server, 1, b"GET /ping HTTP/1.1\r\nHost: dogs\r\n\r\n") as (connection,),
    ):
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /ping HT")
        assert is_closed(connection)


def test_a_kept_connection_may_be_idle_for_longer_than_a_head_may_take(tmp_path: Path) -> None:
    with serving(tmp_path, head_s=0.2) as server, httpx.Client(base_url=server.url) as kept:
        kept.get("/ping")
        with connections(server, 1, b"") as (clock,):
            assert is_closed(clock)  # so more than `head_s` has passed
        opened = list(kept._transport._pool.connections)  # type: ignore[attr-defined]
        assert kept.get("/ping").status_code == 200
        assert list(kept._transport._pool.connections) == opened  # type: ignore[attr-defined]


def test_bodies_that_do_not_end_share_a_fixed_memory_and_are_dropped(tmp_path: Path) -> None:
    body = HEAD + b"Content-Length: %d\r\n\r\n" % MAX_BODY_BYTES + bytes(MAX_BODY_BYTES - 1)
    with serving(tmp_path, head_s=60) as server:
        before = resident(server.child.pid)
        with connections(server, 40, body):  # 240 MB in all
            assert server.invoke(any_photo()).status_code == 200
            assert resident(server.child.pid, peak=True) - before < BODIES_BYTES + 40 * 2**20


def test_the_connection_limit_leaves_file_descriptors_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def limited_to(files: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
        return connection_limit()

    assert limited_to(1_000_000) == limited_to(resource.RLIM_INFINITY) == MAX_CONNECTIONS
    assert limited_to(1000) == 1000 - SPARE_FILES
    assert limited_to(10) == 1


# -- the buffer alone ------------------------------------------------------------------------------------------------


async def stream_of(*chunks: bytes, then: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if then:
        await then.wait()


def test_the_body_that_has_been_arriving_for_the_longest_time_is_dropped() -> None:
    async def outcomes() -> list[object]:
        buffer, never = BodyBuffer(max_bytes=100, memory=150, timeout_s=60), asyncio.Event()

        async def receive(stream: AsyncIterator[bytes]) -> object:
            try:
                async with buffer.body(stream) as body:
                    return len(body)
            except RequestError as error:
                return error.status

        oldest = asyncio.create_task(receive(stream_of(bytes(60), then=never)))
        await asyncio.sleep(0)
        older = asyncio.create_task(receive(stream_of(bytes(60), then=never)))
        await asyncio.sleep(0)
        newest = await receive(stream_of(bytes(40)))
        dropped = await oldest
        again = await receive(stream_of(bytes(90)))
        never.set()
        return [dropped, newest, again, await older]

    assert asyncio.run(outcomes()) == [429, 40, 90, 60]


def test_a_body_that_has_arrived_is_kept_and_a_new_one_is_refused() -> None:
    async def outcomes() -> list[object]:
        buffer = BodyBuffer(max_bytes=100, memory=150, timeout_s=60)
        async with buffer.body(stream_of(bytes(100))) as body:
            with pytest.raises(RequestError) as refused:
                async with buffer.body(stream_of(bytes(60))):
                    pass
            statuses = [len(body), refused.value.status]
        async with buffer.body(stream_of(bytes(60))) as body:
            return [*statuses, len(body)]

    assert asyncio.run(outcomes()) == [100, 429, 60]
