"""The Lambda Runtime API, by which a function's process gets events and returns responses.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, plus the path at which Lambda and AWS's runtime
interface emulator accept an event from a caller.
"""

import json
import queue
import threading
import time
import uuid
from typing import Any, Protocol

from rehearsal.aws.loopback_server import LoopbackHandler
from rehearsal.processes import Child

MAX_REQUEST_BYTES = 6_291_456
MAX_RESPONSE_BYTES = 6_291_556
RUNTIME_PATH = "/2018-06-01/runtime"
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
REQUEST_TOO_LARGE = "RequestEntityTooLargeException"


class FunctionError(RuntimeError):
    """The function returned no response: it could not start, raised an exception, timed out or exited.

    kind: Lambda's `errorType`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Invocation:
    """One event, and the response or the error of the function."""

    def __init__(self, payload: bytes, timeout_s: float) -> None:
        self.id = str(uuid.uuid4())
        self.payload = payload
        self.deadline_ms = int((time.time() + timeout_s) * 1000)
        self.done = threading.Event()
        self.response: bytes | None = None
        self.error: dict[str, Any] = {}

    def finish(self, *, response: bytes | None = None, error: dict[str, Any] | None = None) -> None:
        self.response, self.error = response, error or {}
        self.done.set()


class Environment:
    """One execution environment: a child process, and what it exchanges with the Runtime API."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self.idle = threading.Event()
        self.init_error: dict[str, Any] | None = None
        self.waiting: queue.Queue[Invocation | None] = queue.Queue()
        self.current: Invocation | None = None


class Function(Protocol):
    """What the API needs from the function that it serves."""

    environment: Environment
    """The current execution environment."""

    def invoke_raw(self, payload: bytes) -> bytes:
        """Invoke the function with one event. Raises FunctionError."""
        ...


class RuntimeApi(LoopbackHandler):
    """The API of one function."""

    function: Function

    def do_GET(self) -> None:  # noqa: N802
        environment = self.function.environment
        environment.idle.set()
        invocation = environment.waiting.get()
        if invocation is None:  # the environment is being discarded
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:function:live",
        }
        self.answer(200, invocation.payload, headers)

    def do_POST(self) -> None:  # noqa: N802
        environment = self.function.environment
        body = self.read_body()
        if self.path == INVOKE_PATH:
            return self._invoke(body)
        if self.path == f"{RUNTIME_PATH}/init/error":
            environment.init_error = _as_object(body)
            return self.answer(202, b"{}")
        invocation = environment.current
        if invocation is None or f"/{invocation.id}/" not in self.path:
            return self.answer(400, b"{}")
        if self.path.endswith("/error"):
            invocation.finish(error=_as_object(body))
        elif len(body) > MAX_RESPONSE_BYTES:
            message = f"The response is {len(body):,} bytes; Lambda accepts at most {MAX_RESPONSE_BYTES:,}."
            invocation.finish(error={"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message})
            return self.answer(413, b"{}")
        else:
            invocation.finish(response=body)
        return self.answer(202, b"{}")

    def _invoke(self, event: bytes) -> None:
        try:
            return self.answer(200, self.function.invoke_raw(event), {"Content-Type": "application/json"})
        except FunctionError as error:
            body = json.dumps({"errorType": error.kind, "errorMessage": str(error)}).encode()
            if error.kind == REQUEST_TOO_LARGE:
                return self.answer(413, body, {"Content-Type": "application/json"})
            return self.answer(200, body, {"Content-Type": "application/json", "X-Amz-Function-Error": "Unhandled"})


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"errorMessage": body[:1000].decode(errors="replace")}
