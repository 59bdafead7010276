"""Callers that keep the event loop busy or hold connections, and how long /ping takes meanwhile.

    python -m tests.security.connection_attacks "one-byte chunks" PORT

repeats one attack until it is ended. It is a program, so that the process that asks for /ping is not slowed down by it.
"""

import base64
import contextlib
import io
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from tests.builders import any_photo
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S

PING = b"GET /ping HTTP/1.1\r\nHost: dogs\r\n\r\n"
POST = b"POST /invocations HTTP/1.1\r\nHost: dogs\r\nContent-Type: image/jpeg\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HEAD_BYTES = 16_000
"""Just below h11's limit for a head."""

PING_LIMIT_S = 2
"""SageMaker's limit for a response to /ping."""

FILES = 400
FEW_FILES_AND_CORES = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from inference.server import main as server
sys.exit(server.main())
"""

Reading = Literal["all", "nothing", "a byte a second"]


@dataclass(frozen=True, kw_only=True)
class ConnectionAttack:
    """What each connection sends, again and again, and what it reads of the responses."""

    name: str
    connections: int
    sent: Callable[[], bytes]
    reads: Reading = "all"
    segment: int = 2**18
    """Bytes of one send()."""
    repeats: bool = True
    """Whether a connection sends everything again when it has sent it. If not, it stays open."""
    pipelines: bool = True
    """Whether it does so before it has a response."""


def _head(fields: bytes) -> bytes:
    return b"GET /ping HTTP/1.1\r\nHost: dogs\r\n" + fields + b"\r\n"


def _body(body: bytes, content_type: str = "image/jpeg") -> bytes:
    head = POST.replace(b"image/jpeg", content_type.encode())
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _batch(images: bytes, count: int) -> bytes:
    return _body(b'{"images":[' + b",".join([images] * count) + b"]}", "application/json")


def _slow_photo(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def _batch_of_slow_photos() -> bytes:
    return _batch(b'"' + base64.b64encode(_slow_photo(2000, 1500)) + b'"', 4)


def _one_byte_chunks() -> bytes:
    return CHUNKED + b"1\r\nx\r\n" * 250_000 + b"0\r\n\r\n"


ATTACKS = [
    ConnectionAttack(name="one-byte chunks", connections=4, sent=_one_byte_chunks),
    ConnectionAttack(name="one-byte chunks on many connections", connections=100, sent=_one_byte_chunks),
    ConnectionAttack(
        name="chunks with extensions",
        connections=4,
        sent=lambda: CHUNKED + (b"1;" + b"a=b;" * 50 + b"\r\nx\r\n") * 7_000 + b"0\r\n\r\n",
    ),
    ConnectionAttack(
        name="trailers",
        connections=20,
        sent=lambda: CHUNKED + b"1\r\nx\r\n0\r\n" + b"a:\r\n" * (HEAD_BYTES // 4) + b"\r\n",
    ),
    ConnectionAttack(name="tiny headers", connections=20, sent=lambda: _head(b"a:\r\n" * (HEAD_BYTES // 4)) * 10),
    ConnectionAttack(name="heads larger than one read", connections=4, sent=lambda: _head(b"a:\r\n" * 60_000)),
    ConnectionAttack(
        name="spaces in an invalid field", connections=4, sent=lambda: _head(b"a:" + b" " * 14_000 + b"\0\r\n")
    ),
    ConnectionAttack(
        name="spaces in an invalid trailer",
        connections=4,
        sent=lambda: CHUNKED + b"0\r\na:" + b" " * 14_000 + b"\0\r\n\r\n",
    ),
    ConnectionAttack(
        name="spaces in an invalid chunk extension",
        connections=4,
        sent=lambda: CHUNKED + b"1;" + b" " * 14_000 + b"\n\r\n",
    ),
    ConnectionAttack(name="header lines of 64 kB", connections=20, sent=lambda: _head(b"a: " + b"b" * 2**16 + b"\r\n")),
    ConnectionAttack(
        name="requests of HTTP 1.0", connections=50, sent=lambda: b"GET /ping HTTP/1.0\r\n\r\n", pipelines=False
    ),
    ConnectionAttack(
        name="requests for another protocol",
        connections=20,
        sent=lambda: _head(b"Connection: Upgrade\r\nUpgrade: websocket\r\n") * 100,
    ),
    ConnectionAttack(name="pipelined requests", connections=100, sent=lambda: PING * 10_000),
    ConnectionAttack(name="10,000 requests on one connection", connections=1, sent=lambda: PING * 10_000),
    ConnectionAttack(name="bytes one by one", connections=50, sent=lambda: _body(bytes(1000)), segment=1),
    ConnectionAttack(name="pings byte by byte", connections=50, sent=lambda: PING, segment=1),
    ConnectionAttack(
        name="body of a request without one",
        connections=20,
        sent=lambda: _body(bytes(2**20)).replace(b"POST /invocations", b"GET /ping"),
    ),
    ConnectionAttack(name="responses that are never read", connections=200, sent=lambda: PING * 1000, reads="nothing"),
    ConnectionAttack(
        name="responses that are read by a byte a second",
        connections=200,
        sent=lambda: PING * 1000,
        reads="a byte a second",
    ),
    ConnectionAttack(
        name="large heads and responses that are never read",
        connections=200,
        sent=lambda: _head(b"a: " + b"b" * 15_000 + b"\r\n") * 20,
        reads="nothing",
    ),
    ConnectionAttack(
        name="refusals that are never read", connections=200, sent=lambda: _body(b"no photo") * 100, reads="nothing"
    ),
    ConnectionAttack(
        name="refusals of large bodies that are never read",
        connections=50,
        sent=lambda: _body(bytes(7 * 2**20)),
        reads="nothing",
    ),
    ConnectionAttack(
        name="predictions that are never read", connections=200, sent=lambda: _body(any_photo()) * 100, reads="nothing"
    ),
    ConnectionAttack(
        name="more callers than connections",
        connections=200,
        sent=lambda: _body(_slow_photo(1000, 750)),
        pipelines=False,
    ),
    ConnectionAttack(name="batches of objects", connections=8, sent=lambda: _batch(b"{}", 2_000_000)),
    ConnectionAttack(name="batches of slow photos", connections=8, sent=_batch_of_slow_photos),
    ConnectionAttack(name="connections that send nothing", connections=450, sent=lambda: b"", repeats=False),
    ConnectionAttack(
        name="bodies that wait for 100 Continue and never come",
        connections=450,
        sent=lambda: POST + b"Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n",
        repeats=False,
    ),
    ConnectionAttack(name="half a head", connections=450, sent=lambda: POST, repeats=False),
    ConnectionAttack(name="half a body", connections=450, sent=lambda: _body(bytes(9999))[:-1], repeats=False),
]


class _Caller:
    """One connection of an attack. It connects again after the server has closed it."""

    def __init__(self, port: int, attack: ConnectionAttack, sent: bytes) -> None:
        self._port = port
        self._attack = attack
        self._sent = sent
        self._next_read = 0.0
        self.connection = self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        if self._attack.reads != "all":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", self._port))
        self._at = 0
        return connection

    @property
    def has_sent_all(self) -> bool:
        return self._at == len(self._sent) and not self._attack.repeats

    def go_on(self) -> bool:
        """Send and read what is possible now. Returns False if the connection is a new one."""
        try:
            self._send()
            self._read()
        except BlockingIOError:
            pass
        except OSError:
            self.connection.close()
            self.connection = self._connect()
            return False
        return True

    def _send(self) -> None:
        if self._at == len(self._sent):
            if not self._attack.repeats or not self._attack.pipelines:
                return
            self._at = 0
        with contextlib.suppress(BlockingIOError):
            self._at += self.connection.send(memoryview(self._sent)[self._at : self._at + self._attack.segment])

    def _read(self) -> None:
        if self._attack.reads == "nothing":
            return
        count = 65536
        if self._attack.reads == "a byte a second":
            if time.monotonic() < self._next_read:
                return
            self._next_read, count = time.monotonic() + 1, 1
        if not self.connection.recv(count):
            raise ConnectionResetError
        if self._at == len(self._sent) and not self._attack.pipelines:
            self._at = 0


def attack_until_ended(attack: ConnectionAttack, port: int) -> None:
    sent = attack.sent()
    callers = [_Caller(port, attack, sent) for _ in range(attack.connections)]
    print("started", flush=True)
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)
        while True:
            ready = selector.select(1)
            for key, _ in ready:
                caller = key.data
                before = caller.connection
                if not caller.go_on():
                    selector.unregister(before)
                    selector.register(caller.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)
                elif caller.has_sent_all:
                    selector.modify(caller.connection, selectors.EVENT_READ, caller)
            if attack.reads != "all" or all(caller.has_sent_all for caller in callers):
                time.sleep(0.01)  # a caller that does not read is always ready


def slowest_ping_s(server: Server, goes_on: Callable[[], bool]) -> float:
    """The longest time of a /ping in seconds. Each has a connection of its own, and they follow each other."""
    slowest = 0.0
    while goes_on():
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
            connection.sendall(PING)
            status = connection.recv(4096)
        assert status.startswith(b"HTTP/1.1 200"), status
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.02)  # the attack gets the time, and not these requests
    return slowest


def during(seconds: float) -> Callable[[], bool]:
    """Whether less than `seconds` have passed since now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


@contextlib.contextmanager
def limited_server(model: Path, logs: Path) -> Iterator[Server]:
    """A server with two cores and file descriptors for 144 connections."""
    command = [sys.executable, "-c", FEW_FILES_AND_CORES, "--model-dir", str(model), "--port", "0"]
    with listening(model, logs, command=command) as server:
        server.wait_until_ready()
        yield server


@contextlib.contextmanager
def under_attack(server: Server, attack: ConnectionAttack) -> Iterator[None]:
    """The attack runs during the block."""
    command = [sys.executable, "-m", "tests.security.connection_attacks", attack.name, str(server.port)]
    child = server.group.start(attack.name, command)
    server.group.wait_until(lambda: "started" in child.log.read_text(), what="the attack", timeout_s=PATIENCE_S)
    try:
        yield
    finally:
        server.group.end(child)


if __name__ == "__main__":
    attack_until_ended({attack.name: attack for attack in ATTACKS}[sys.argv[1]], int(sys.argv[2]))
