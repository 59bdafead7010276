"""Lambda on one machine: AWS's own Python runtime client in a child process, behind the Lambda Runtime API.

    with LambdaRuntime("lambda_fn.handler.handler", task_root=repository, env={"ENDPOINT_NAME": "dogs"}) as function:
        response = function.invoke({"image": "..."})

One execution environment: calls are served one after the other, as one instance of a function serves them. The limits
are Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
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
"""Whether awslambdaric came with its compiled part, which AWS publishes for Linux alone."""
PYTHON_CLIENT = Path(__file__).with_name("python_client")


class LambdaRuntime:
    """A function, initialised when the `with` block starts, as with provisioned concurrency.

    handler: dotted name, as in the function's configuration.
    task_root: the folder that holds the code, as /var/task does.
    env: the function's environment variables. Nothing else of this process's environment reaches the function.
    timeout_s: the function's time limit. `memory_mib` is told to the function, not enforced.
    init_timeout_s: on-demand functions get 10 s, provisioned ones up to 15 minutes.
    compiled_client: False takes `python_client` in place of the compiled part of AWS's runtime client.
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
        self._one_at_a_time = threading.Lock()
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
        """All that the running environment has printed so far."""
        child = self.environment.child
        return child.log.read_text(errors="replace") if child else ""

    def invoke(self, event: object) -> dict[str, Any]:
        """Call the function and wait. Raises FunctionError, a sentence, if it gave no answer."""
        result = json.loads(self.invoke_raw(json.dumps(event).encode()))
        if not isinstance(result, dict):
            raise FunctionError("Runtime.WrongAnswer", f"The function answered {type(result).__name__}, not an object.")
        return result

    def invoke_raw(self, payload: bytes) -> bytes:
        """As `invoke`, on JSON bytes."""
        if len(payload) > MAX_REQUEST_BYTES:
            raise FunctionError(
                REQUEST_TOO_LARGE,
                f"The event is {len(payload):,} bytes; Lambda takes at most {MAX_REQUEST_BYTES:,}.",
            )
        with self._one_at_a_time:
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
                raise FunctionError("Sandbox.Timedout", f"The function did not answer within {self._timeout_s:g} s.")
            if child.exit_code() is not None and not invocation.done.is_set():
                message = f"The function's process ended with {child.how_it_ended()}. {child.last_lines()}"
                self._discard(environment)
                raise FunctionError("Runtime.ExitError", message)
        if invocation.answer is None:
            raise _function_error("The function failed", invocation.error)
        return invocation.answer

    def _idle_environment(self) -> Environment:
        """The environment once it asks for an event; a fresh one if it has ended, as after too large an answer."""
        environment = self.environment
        while environment.child is not None and environment.child.exit_code() is None:
            if environment.idle.wait(WAIT_STEP_S):
                return environment
        return self._initialise()

    def _initialise(self) -> Environment:
        """Start a fresh environment and wait until it asks for its first event."""
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
                how, told = environment.child.how_it_ended(), environment.child.last_lines()
                error = FunctionError("Runtime.ExitError", f"The function could not start: {how}. {told}")
            else:
                error = FunctionError(
                    "Sandbox.Timedout", f"The function did not start within {self._init_timeout_s:g} s."
                )
            self._discard(environment)
            raise error
        return environment

    def _discard(self, environment: Environment) -> None:
        """End an environment, as Lambda does after a time-out; the next call gets a fresh one."""
        environment.waiting.put(None)
        if environment.child is not None:
            self._group.end(environment.child)

    def _process_env(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, and no way out of this machine."""
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
