"""Lambda on one machine: AWS's Python runtime client in a child process, with a local Lambda Runtime API.

    with LambdaRuntime("lambda_fn.handler.handler", task_root=repository, env={"ENDPOINT_NAME": "dogs"}) as function:
        response = function.invoke({"image": "..."})

There is one execution environment, so calls are served one after another. The limits are Lambda's:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rehearsal.aws.execution_environment import PYTHON_CLIENT, ExecutionEnvironment, runtime_variables
from rehearsal.aws.loopback_server import LoopbackServer
from rehearsal.aws.runtime_api import (
    MAX_REQUEST_BYTES,
    REQUEST_TOO_LARGE,
    FunctionError,
    Invocation,
    Process,
    RuntimeApi,
)
from rehearsal.processes import ProcessGroup

__all__ = ["PYTHON_CLIENT", "FunctionError", "LambdaRuntime"]

INVOKE_PATH = "/2015-03-31/functions/function/invocations"
COMPILED_CLIENT = find_spec("runtime_client") is not None
"""Whether awslambdaric contains its compiled part, which AWS publishes only for Linux."""


class LambdaRuntime:
    """A function that is initialised when the `with` block starts, as with provisioned concurrency.

    handler: dotted name, as in the function's configuration.
    task_root: the folder that holds the code, as /var/task does.
    env: the function's environment variables. It inherits none of this process's environment.
    timeout_s: the function's timeout.
    memory_mib: the function sees it in its context; it is not enforced.
    init_timeout_s: limit of the initialisation; on AWS 10 s on demand, up to 15 minutes with provisioned concurrency.
    compiled_client: False uses `python_client` instead of the compiled part of AWS's runtime client.
    packages: the folder of the packages that the function finds. None: it finds those of this process.
    """

    def __init__(
        self,
        handler: str,
        *,
        task_root: Path,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        memory_mib: int = 512,
        init_timeout_s: float = 60.0,
        log_dir: Path | None = None,
        port: int = 0,
        compiled_client: bool = COMPILED_CLIENT,
        packages: Path | None = None,
    ) -> None:
        class Handler(_InvokedOverHttp):
            function = self

        self._handler = handler
        self._task_root = task_root.resolve()
        self._env = dict(env or {})
        self._timeout_s = timeout_s
        self._memory_mib = memory_mib
        self._init_timeout_s = init_timeout_s
        self._python_path = [
            *([] if compiled_client else [PYTHON_CLIENT]),
            self._task_root,
            *([packages] if packages else []),
        ]
        # without `site` the interpreter finds no other packages
        self._python = [sys.executable, *(["-S"] if packages else [])]
        self.init_s = 0.0
        """Of the current execution environment: from the start of its process until it asks for its first event."""
        self._server = LoopbackServer(Handler, port=port)
        self._own_log_dir = None if log_dir else tempfile.TemporaryDirectory(prefix="lambda-")
        self._group = ProcessGroup(log_dir or Path(self._own_log_dir.name), grace_s=1.0)  # type: ignore[union-attr]
        self._invoke_lock = threading.Lock()
        self.environment = ExecutionEnvironment(self._group)
        self._starts = 0
        self.url = self._server.url + INVOKE_PATH
        """POST an event here to invoke the function over HTTP, as with AWS's runtime interface emulator."""

    def __enter__(self) -> Self:
        self._server.__enter__()
        self._group.__enter__()
        try:
            self._initialise()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.environment.end()
        finally:
            self._group.__exit__(kind, error, traceback)
            self._server.__exit__(kind, error, traceback)
            if self._own_log_dir:
                self._own_log_dir.cleanup()

    @property
    def log(self) -> str:
        """The output of the current execution environment so far."""
        child = self.environment.child
        return child.log.read_text(errors="replace") if child else ""

    def invoke(self, event: object, *, trace: str = "") -> dict[str, Any]:
        """Invoke the function and wait for its response. Raises FunctionError if there is none.

        trace: X-Ray's trace header of the call, if it has one.
        """
        result = json.loads(self.invoke_raw(json.dumps(event).encode(), trace=trace))
        if not isinstance(result, dict):
            raise FunctionError(
                "Runtime.InvalidResponse", f"The function returned {type(result).__name__}, not an object."
            )
        return result

    def invoke_raw(self, payload: bytes, *, trace: str = "") -> bytes:
        """Like `invoke`, with the event and the response as JSON bytes."""
        if len(payload) > MAX_REQUEST_BYTES:
            raise FunctionError(
                REQUEST_TOO_LARGE,
                f"The event is {len(payload):,} bytes; Lambda accepts at most {MAX_REQUEST_BYTES:,}.",
            )
        with self._invoke_lock:
            if not self.environment.is_ready():  # as after too large a response
                self._initialise()
            invocation = Invocation(payload, self._timeout_s, trace=trace)
            try:
                return self.environment.invoke(invocation)
            except FunctionError as error:
                if not error.reported:  # a timeout or an exit: the next call gets a new process
                    self.environment.end()
                raise

    def _initialise(self) -> None:
        """Start a new environment and wait until it requests its first event."""
        environment = self.environment = ExecutionEnvironment(self._group)
        self._starts += 1
        began = time.monotonic()
        try:
            environment.initialise(
                f"lambda-{self._starts}",
                [*self._python, "-m", "awslambdaric", self._handler],
                env=self._variables(),
                cwd=self._task_root,
                timeout_s=self._init_timeout_s,
            )
        except FunctionError:
            environment.end()
            raise
        self.init_s = time.monotonic() - began

    def _variables(self) -> dict[str, str]:
        return {
            **runtime_variables(
                handler=self._handler,
                task_root=self._task_root,
                python_path=self._python_path,
                runtime_api=self._server.url.removeprefix("http://"),
                memory_mib=self._memory_mib,
            ),
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            **self._env,
        }


class _InvokedOverHttp(RuntimeApi):
    """The Runtime API, and the path at which AWS's runtime interface emulator accepts an event."""

    function: LambdaRuntime

    def process(self) -> Process:
        return self.function.environment

    def do_POST(self) -> None:  # noqa: N802
        if self.path != INVOKE_PATH:
            return super().do_POST()
        try:
            return self.answer(200, self.function.invoke_raw(self.read_body()), {"Content-Type": "application/json"})
        except FunctionError as error:
            body = json.dumps({"errorType": error.kind, "errorMessage": str(error)}).encode()
            if error.kind == REQUEST_TOO_LARGE:
                return self.answer(413, body, {"Content-Type": "application/json"})
            return self.answer(200, body, {"Content-Type": "application/json", "X-Amz-Function-Error": "Unhandled"})
