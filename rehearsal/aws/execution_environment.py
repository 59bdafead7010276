"""An execution environment of Lambda: one process of a function, which serves one call at a time.

Nothing in it polls: a thread waits for the process's end, and every other wait ends with what it waits for.
"""

import os
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.aws.runtime_api import EXITED, TIMED_OUT, FunctionError, Invocation
from rehearsal.processes import Child, ProcessGroup

PYTHON_CLIENT = Path(__file__).with_name("python_client")
NO_AWS_CONFIGURATION = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class ExecutionEnvironment:
    """Implements the Runtime API's `Process`. group: its process is started in this group."""

    def __init__(self, group: ProcessGroup) -> None:
        self.child: Child | None = None
        self.ended = False
        self.init_error: FunctionError | None = None
        self.current: Invocation | None = None
        self._group = group
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._idle_or_ended = threading.Event()

    def next_invocation(self) -> Invocation | None:
        """See the Runtime API's `Process`."""
        self._idle_or_ended.set()
        return self._waiting.get()

    def initialise(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout_s: float
    ) -> None:
        """Start the process and wait until it asks for its first event. Raises FunctionError."""
        self.child = self._group.start(name, command, env=env, cwd=cwd)
        threading.Thread(target=self._watch, args=(self.child,), daemon=True).start()
        self._idle_or_ended.wait(timeout_s)
        if self.ended:
            if self.init_error:
                raise self.init_error
            how, output = self.child.how_it_ended(), self.child.last_lines()
            raise FunctionError(EXITED, f"The function could not start: {how}. {output}")
        if not self._idle_or_ended.is_set():
            raise FunctionError(TIMED_OUT, f"The function did not start within {timeout_s:g} s.")

    def is_ready(self) -> bool:
        """Wait until the process asks for an event. False: it has ended instead."""
        if not self.ended:  # one that ends just as `invoke` begins leaves the event cleared
            self._idle_or_ended.wait()
        return not self.ended

    def invoke(self, invocation: Invocation) -> bytes:
        """The response of the function. Raises FunctionError. After a timeout the process is no longer of use."""
        self._idle_or_ended.clear()
        self.current = invocation
        self._waiting.put(invocation)
        if self.ended:  # the thread that watches it may have looked before `current` was set
            invocation.finish(error=self._exit_error())
        if not invocation.done.wait(invocation.timeout_s):
            message = f"The function did not respond within {invocation.timeout_s:g} s."
            invocation.finish(error=FunctionError(TIMED_OUT, message))
        if invocation.error:
            raise invocation.error
        return invocation.response

    def end(self) -> None:
        """End the process."""
        self._waiting.put(None)
        if self.child is not None:
            self._group.end(self.child)

    def _watch(self, child: Child) -> None:
        child.join()
        self.ended = True
        if self.current is not None:
            self.current.finish(error=self._exit_error())
        self._idle_or_ended.set()

    def _exit_error(self) -> FunctionError:
        if self.child is None:
            return FunctionError(EXITED, "The function has no process.")
        message = f"The function's process ended with {self.child.how_it_ended()}. {self.child.last_lines()}"
        return FunctionError(EXITED, message)


def runtime_variables(
    *,
    handler: str,
    task_root: Path,
    python_path: Sequence[Path],
    runtime_api: str,
    name: str = "function",
    version: str = "1",
    memory_mib: int,
    initialization: str = "provisioned-concurrency",
    log_group: str = "/aws/lambda/function",
    log_stream: str = "rehearsal",
    region: str = "us-east-1",
) -> dict[str, str]:
    """The variables that Lambda defines, and none of this process's. There are no credentials among them.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in python_path),
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mib),
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "_HANDLER": handler,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **NO_AWS_CONFIGURATION,
    }
