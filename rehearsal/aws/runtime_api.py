"""The Lambda Runtime API, by which a function's process gets events and returns responses.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from rehearsal.aws.loopback_server import LoopbackHandler

MAX_REQUEST_BYTES = 6_291_456
MAX_ASYNCHRONOUS_BYTES = 1_048_576
"""Of the event of an asynchronous call."""
MAX_RESPONSE_BYTES = 6_291_556
RUNTIME_PATH = "/2018-06-01/runtime"
REQUEST_TOO_LARGE = "RequestEntityTooLargeException"
TIMED_OUT = "Sandbox.Timedout"
EXITED = "Runtime.ExitError"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
LOCAL_ARN = "arn:aws:lambda:us-east-1:000000000000:function:function:live"


class FunctionError(RuntimeError):
    """The function returned no response: it could not start, raised an exception, timed out or exited.

    kind: Lambda's `errorType`. reported: what the function's process reported; empty if it reported nothing.
    """

    def __init__(self, kind: str, message: str, reported: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.reported = dict(reported or {})

    @staticmethod
    def of(what: str, reported: Mapping[str, Any]) -> "FunctionError":
        """The error that the function's process reported."""
        kind = str(reported.get("errorType") or "Unhandled")
        message = f"{what}: {kind}: {reported.get('errorMessage') or 'no message'}"
        return FunctionError(kind, message, reported)


class Invocation:
    """One event, and the response or the error of the function."""

    def __init__(
        self, payload: bytes, timeout_s: float, *, id: str | None = None, function_arn: str = LOCAL_ARN, trace: str = ""
    ) -> None:
        self.id = id or str(uuid.uuid4())
        self.payload = payload
        self.timeout_s = timeout_s
        self.function_arn = function_arn
        self.trace = trace
        self.deadline_ms = int((time.time() + timeout_s) * 1000)
        self.done = threading.Event()
        self.response = b""
        self.error: FunctionError | None = None
        self._lock = threading.Lock()

    def finish(self, *, response: bytes = b"", error: FunctionError | None = None) -> None:
        """Set the outcome. The first call counts: a process may end right after its response."""
        with self._lock:
            if not self.done.is_set():
                self.response, self.error = response, error
                self.done.set()


class Process(Protocol):
    """What the API needs of the process that it serves."""

    current: Invocation | None
    init_error: FunctionError | None

    def next_invocation(self) -> Invocation | None:
        """Wait for an event. None: the process is being ended."""
        ...


class RuntimeApi(LoopbackHandler, ABC):
    """The API for one process at a time."""

    @abstractmethod
    def process(self) -> Process:
        """The process that is served now."""

    def do_GET(self) -> None:  # noqa: N802
        invocation = self.process().next_invocation()
        if invocation is None:
            self.close_connection = True
            return
        trace = {"Lambda-Runtime-Trace-Id": invocation.trace} if invocation.trace else {}
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            **trace,
        }
        self.answer(200, invocation.payload, headers)

    def do_POST(self) -> None:  # noqa: N802
        process = self.process()
        body = self.read_body()
        if self.path == f"{RUNTIME_PATH}/init/error":
            process.init_error = FunctionError.of("The function could not start", _as_object(body))
            return self.answer(202, b"{}")
        invocation = process.current
        if invocation is None or f"/{invocation.id}/" not in self.path:
            return self.answer(400, b"{}")
        if self.path.endswith("/error"):
            invocation.finish(error=FunctionError.of("The function failed", _as_object(body)))
        elif len(body) > MAX_RESPONSE_BYTES:
            message = f"The response is {len(body):,} bytes; Lambda accepts at most {MAX_RESPONSE_BYTES:,}."
            reported = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
            invocation.finish(error=FunctionError.of("The function failed", reported))
            return self.answer(413, b"{}")
        else:
            invocation.finish(response=body)
        return self.answer(202, b"{}")


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"errorMessage": body[:1000].decode(errors="replace")}
