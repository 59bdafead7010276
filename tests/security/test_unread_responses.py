"""A caller that does not read its responses loses its connection after a fixed time."""

import contextlib
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S
from tests.security.connection_attacks import PING, POST

SHORT_TIMEOUTS = """
import sys
from inference.server import connections, lifetime, listener
from inference.server import main as server
connections.WRITE_TIMEOUT_S = float(sys.argv.pop(1))
listener.UNREAD_S = int(sys.argv.pop(1))
lifetime.KEEP_ALIVE_S = lifetime.DRAIN_S = connections.HEAD_TIMEOUT_S = 10_000
sys.exit(server.main())
"""


@contextlib.contextmanager
def serving(folder: Path, *, write_s: float = 10_000, unread_s: int = 10_000) -> Iterator[Server]:
    """A server with these two timeouts in seconds. It closes no connection for another reason."""
    model = write_artifact(folder / "model")
    command = [sys.executable, "-c", SHORT_TIMEOUTS, str(write_s), str(unread_s)]
    with listening(model, folder / "logs", command=[*command, "--model-dir", str(model), "--port", "0"]) as server:
        server.wait_until_ready()
        yield server
        assert server.child.exit_code() in (None, 0)
        assert "Traceback" not in server.log()


@contextlib.contextmanager
def small_window(server: Server) -> Iterator[socket.socket]:
    """A connection whose caller's system keeps little of what it does not read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(("127.0.0.1", server.port))
        yield connection


def sockets(server: Server) -> int:
    """How many sockets the server has open."""
    links = []
    for descriptor in Path(f"/proc/{server.child.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since the folder was listed
            links.append(str(descriptor.readlink()))
    return sum(link.startswith("socket:") for link in links)


def send_until_closed(connection: socket.socket, request: bytes, *, reads: int = 0) -> None:
    """Send the request again and again, reading `reads` bytes after each, until the server closes the connection."""
    connection.setblocking(False)
    end, at = time.monotonic() + PATIENCE_S, 0
    while True:
        assert time.monotonic() < end, "the server has not closed the connection"
        try:
            at = (at + connection.send(request[at:])) % len(request)
        except BlockingIOError:
            select.select([], [connection], [], 0.1)
        except ConnectionError:
            return
        if reads:
            with contextlib.suppress(BlockingIOError):
                try:
                    connection.recv(reads)
                except ConnectionError:
                    return


def body(content: bytes) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize(
    "request_",
    [
        PING,
        PING.replace(b"\r\n\r\n", b"\r\nCookie: " + b"x" * 12_000 + b"\r\n\r\n"),
        PING.replace(b"/ping", b"/elsewhere"),
        body(b"not a photo"),
        body(any_photo()),
        pytest.param(body(bytes(7 * 2**20)), marks=pytest.mark.slow),
    ],
    ids=["ping", "large heads", "404", "415", "predictions", "413"],
)
def test_a_caller_that_never_reads_loses_its_connection(tmp_path: Path, request_: bytes) -> None:
    """With full buffers on both sides, the systems sometimes stop to acknowledge: then `unread_s` ends it."""
    with serving(tmp_path, write_s=0.2, unread_s=2) as server, small_window(server) as connection:
        send_until_closed(connection, request_)


def test_a_caller_that_reads_byte_by_byte_loses_its_connection(tmp_path: Path) -> None:
    with serving(tmp_path, write_s=0.2) as server, small_window(server) as connection:
        send_until_closed(connection, PING * 100, reads=1)


def test_a_caller_that_ends_its_side_and_never_reads_loses_its_connection(tmp_path: Path) -> None:
    with serving(tmp_path, write_s=1) as server:
        before = sockets(server)
        with small_window(server) as connection:
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection.send(PING * 1000)
            connection.shutdown(socket.SHUT_WR)
            server.group.wait_until(lambda: sockets(server) <= before, what="the close", timeout_s=PATIENCE_S)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has this timeout")
def test_responses_that_the_system_keeps_do_not_keep_the_connection(tmp_path: Path) -> None:
    """They fit into the server's own send buffer, so that the process has nothing left to write."""
    with serving(tmp_path, unread_s=1) as server:
        before = sockets(server)
        with small_window(server) as connection:
            connection.sendall(PING * 200)  # 30 kB of responses
            server.group.wait_until(lambda: sockets(server) <= before, what="the close", timeout_s=PATIENCE_S)


def test_a_caller_that_reads_slowly_but_in_time_gets_every_response(tmp_path: Path) -> None:
    with serving(tmp_path, write_s=60, unread_s=60) as server, small_window(server) as connection:
        connection.sendall(PING * 1000)
        received = b""
        while received.count(b"HTTP/1.1 200 ") < 1000:
            received += connection.recv(512)


def test_unread_responses_do_not_delay_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, write_s=0.2) as server, small_window(server) as connection:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send(PING * 1000)
        server.child.signal(signal.SIGTERM)
        assert server.child.wait(PATIENCE_S)
        assert server.child.exit_code() == 0
