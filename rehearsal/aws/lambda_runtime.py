"""Lambda on one machine: AWS's Python runtime client in a child process, with a local Lambda Runtime API.

    with LambdaRuntime("lambda_fn.handler.handler", task_root=repository, env={"ENDPOINT_NAME": "dogs"}) as function:
        response = function.invoke({"image": "..."})

There is one execution environment, so calls are served one after another. The limits are Lambda's:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rehearsal.aws.loopback_server import LoopbackServer
from rehearsal.aws.runtime_api import (
    INVOKE_PATH,
    MAX_REQUEST_BYTES,
    REQUEST_TOO_LARGE,
    Environment,
    FunctionError,
    Invocation,
    RuntimeApi,
)
from rehearsal.processes import ProcessGroup

__all__ = ["FunctionError", "LambdaRuntime"]

WAIT_STEP_S = 0.05
COMPILED_CLIENT = find_spec("runtime_client") is not None
"""Whether awslambdaric contains its compiled part, which AWS publishes only for Linux."""
PYTHON_CLIENT = Path(__file__).with_name("python_client")


class LambdaRuntime:
    """A function that is initialised when the `with` block starts, as with provisioned concurrency.

    handler: dotted name, as in the function's configuration.
    task_root: the folder that holds the code, as /var/task does.
    env: the function's environment variables. It inherits none of this process's environment.
    timeout_s: the function's timeout.
    memory_mib: the function sees it in its context; it is not enforced.
    init_timeout_s: limit of the initialisation; on AWS 10 s on demand, up to 15 minutes with provisioned concurrency.
    compiled_client: False uses `python_client` instead of the compiled part of AWS's runtime client.
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
    ) -> None:
        class Handler(RuntimeApi):
            function = self

        self._handler = handler
        self._task_root = task_root.resolve()
        self._env = dict(env or {})
        self._timeout_s = timeout_s
        self._memory_mib = memory_mib
        self._init_timeout_s = init_timeout_s
        self._python_path = [] if compiled_client else [str(PYTHON_CLIENT)]
        self._server = LoopbackServer(Handler, port=port)
        self._own_log_dir = None if log_dir else tempfile.TemporaryDirectory(prefix="lambda-")
        self._group = ProcessGroup(log_dir or Path(self._own_log_dir.name), grace_s=1.0)  # type: ignore[union-attr]
        self._invoke_lock = threading.Lock()
        self.environment = Environment()
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
        self.environment.waiting.put(None)
        self._group.__exit__(kind, error, traceback)
        self._server.__exit__(kind, error, traceback)
        if self._own_log_dir:
            self._own_log_dir.cleanup()

    @property
    def log(self) -> str:
        """The output of the current execution environment so far."""
        child = self.environment.child
        return child.log.read_text(errors="replace") if child else ""

    def invoke(self, event: object) -> dict[str, Any]:
        """Invoke the function and wait for its response. Raises FunctionError if there is none."""
        result = json.loads(self.invoke_raw(json.dumps(event).encode()))
        if not isinstance(result, dict):
            raise FunctionError(
                "Runtime.InvalidResponse", f"The function returned {type(result).__name__}, not an object."
            )
        return result

    def invoke_raw(self, payload: bytes) -> bytes:
        """Like `invoke`, with the event and the response as JSON bytes."""
        if len(payload) > MAX_REQUEST_BYTES:
            raise FunctionError(
                REQUEST_TOO_LARGE,
                f"The event is {len(payload):,} bytes; Lambda accepts at most {MAX_REQUEST_BYTES:,}.",
            )
        with self._invoke_lock:
            environment = self._idle_environment()
            invocation = Invocation(payload, self._timeout_s)
            environment.current = invocation
            environment.idle.clear()
            environment.waiting.put(invocation)
            return self._outcome(environment, invocation)

    def _outcome(self, environment: Environment, invocation: Invocation) -> bytes:
        child = environment.child
        assert child is not None  # noqa: S101 - _initialise has started it
        while not invocation.done.wait(WAIT_STEP_S):
            if time.time() * 1000 > invocation.deadline_ms:
                self._discard(environment)
                raise FunctionError("Sandbox.Timedout", f"The function did not respond within {self._timeout_s:g} s.")
            if child.exit_code() is not None and not invocation.done.is_set():
                message = f"The function's process ended with {child.how_it_ended()}. {child.last_lines()}"
                self._discard(environment)
                raise FunctionError("Runtime.ExitError", message)
        if invocation.response is None:
            raise _function_error("The function failed", invocation.error)
        return invocation.response

    def _idle_environment(self) -> Environment:
        """The environment, once it requests an event; a new one if it has ended, as after too large a response."""
        environment = self.environment
        while environment.child is not None and environment.child.exit_code() is None:
            if environment.idle.wait(WAIT_STEP_S):
                return environment
        return self._initialise()

    def _initialise(self) -> Environment:
        """Start a new environment and wait until it requests its first event."""
        environment = self.environment = Environment()
        self._starts += 1
        name = f"lambda-{self._starts}"
        command = [sys.executable, "-m", "awslambdaric", self._handler]
        environment.child = self._group.start(name, command, env=self._process_env(), cwd=self._task_root)
        end = time.monotonic() + self._init_timeout_s
        while not environment.idle.wait(WAIT_STEP_S):
            ended = environment.child.exit_code() is not None
            if not ended and time.monotonic() < end:
                continue
            if environment.init_error:
                error = _function_error("The function could not start", environment.init_error)
            elif ended:
                how, output = environment.child.how_it_ended(), environment.child.last_lines()
                error = FunctionError("Runtime.ExitError", f"The function could not start: {how}. {output}")
            else:
                error = FunctionError(
                    "Sandbox.Timedout", f"The function did not start within {self._init_timeout_s:g} s."
                )
            self._discard(environment)
            raise error
        return environment

    def _discard(self, environment: Environment) -> None:
        """End an environment, as Lambda does after a timeout. The next call gets a new one."""
        environment.waiting.put(None)
        if environment.child is not None:
            self._group.end(environment.child)

    def _process_env(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, without real credentials."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join([*self._python_path, str(self._task_root)]),
            "LAMBDA_TASK_ROOT": str(self._task_root),
            "AWS_LAMBDA_RUNTIME_API": self._server.url.removeprefix("http://"),
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mib),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/function",
            "AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "_HANDLER": self._handler,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._env,
        }


def _function_error(what: str, error: Mapping[str, Any]) -> FunctionError:
    kind = str(error.get("errorType") or "Unhandled")
    return FunctionError(kind, f"{what}: {kind}: {error.get('errorMessage') or 'no message'}")
