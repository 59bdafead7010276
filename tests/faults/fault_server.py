"""A local SageMaker Runtime or S3 with scripted faults, one for each call."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer
from tests.patience import PATIENCE_S
from tests.rehearsal.container import ANSWER

SECRET = (
    'Traceback: File "/opt/ml/model/secret.py", arn:aws:sagemaker:us-east-1:123456789012:endpoint/x, '
    "https://runtime.sagemaker.us-east-1.amazonaws.com/endpoints/x/invocations"
)
"""What an error of AWS or of a container may contain, and a caller may not see."""
Fault = Callable[[LoopbackHandler], None]


def answers(handler: LoopbackHandler) -> None:
    handler.answer(200, json.dumps(ANSWER).encode(), {"Content-Type": "application/json"})


def error(status: int, kind: str | None, **members: Any) -> Fault:
    """An error as SageMaker sends it: the status, its type in a header, and a message."""

    def fault(handler: LoopbackHandler) -> None:
        headers = {"Content-Type": "application/json", **({"x-amzn-ErrorType": kind} if kind else {})}
        handler.answer(status, json.dumps({"Message": SECRET, **members}).encode(), headers)

    return fault


def model_error(status: int) -> Fault:
    return error(424, "ModelError", OriginalStatusCode=status, OriginalMessage=SECRET, LogStreamArn=SECRET)


def busy_model(retry_after_s: int) -> Fault:
    """The refusal of Kennel's container while its queue is full, as SageMaker passes it on."""
    refusal = {"error": {"code": "busy", "message": SECRET, "retry_after_s": retry_after_s}}
    return error(424, "ModelError", OriginalStatusCode=429, OriginalMessage=json.dumps(refusal), LogStreamArn=SECRET)


def web_page(handler: LoopbackHandler) -> None:
    """The error page of a proxy or a load balancer."""
    handler.answer(502, b"<html><h1>502 Bad Gateway</h1>", {"Content-Type": "text/html"})


def resets(handler: LoopbackHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def cuts_short(handler: LoopbackHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"predictions": [')
    handler.close_connection = True


def returns(body: bytes, content_type: str = "application/json", *, status: int = 200, **headers: str) -> Fault:
    """A response that is complete as HTTP, whatever is in it."""
    return lambda handler: handler.answer(status, body, {"Content-Type": content_type, **headers})


def ends(handler: LoopbackHandler) -> None:
    """Closes the connection without a response."""
    handler.close_connection = True


def speaks_no_http(handler: LoopbackHandler) -> None:
    handler.wfile.write(SECRET.encode() + b"\r\n\r\n")
    handler.close_connection = True


def floods(handler: LoopbackHandler) -> None:
    """A body without an end, as fast as it is read."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    with contextlib.suppress(OSError):  # the other side closes the connection
        while True:
            handler.wfile.write(SECRET.encode() * 100)


class FaultServer:
    """Plays `script`, one entry for each call, and then repeats its last entry. `calls` counts the calls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: list[Fault] = [answers]
        self.calls = 0
        self.lock = threading.Lock()
        self.release = threading.Event()

    def play(self, *script: Fault) -> None:
        self.script, self.calls = list(script), 0

    def hangs(self, handler: LoopbackHandler) -> None:
        self.release.wait(PATIENCE_S)
        handler.close_connection = True

    def drips(self, handler: LoopbackHandler) -> None:
        """Sends a byte at a time, so that no operation of the other side takes long."""
        while not self.release.wait(0.05):
            handler.wfile.write(b"H")

    def hangs_in_the_body(self, handler: LoopbackHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"{")
        self.hangs(handler)


@contextmanager
def misbehaving() -> Iterator[FaultServer]:
    class Handler(LoopbackHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.do_POST()

        def do_POST(self) -> None:  # noqa: N802
            self.read_body()
            with faults.lock:
                fault = faults.script[min(faults.calls, len(faults.script) - 1)]
                faults.calls += 1
            fault(self)

    with LoopbackServer(Handler) as server:
        faults = FaultServer(server.url)
        yield faults
        faults.release.set()
