"""An execution environment of a deployed function."""

import json
import shutil
import time
import uuid
from pathlib import Path

from rehearsal.aws.execution_environment import ExecutionEnvironment, runtime_variables
from rehearsal.aws.loopback_server import LoopbackServer
from rehearsal.aws.runtime_api import EXITED, OUT_OF_MEMORY, TIMED_OUT, FunctionError, Invocation, Process, RuntimeApi
from rehearsal.cloud.api import AwsError, Credentials, Engine, Json
from rehearsal.cloud.functions import report
from rehearsal.cloud.functions.deployed import DeployedFunction
from rehearsal.cloud.functions.logs import Logs, Stream
from rehearsal.cloud.functions.memory import MemoryWatch, peak_mib
from rehearsal.cloud.functions.python_runtime import PythonRuntime
from rehearsal.processes import ProcessGroup

INIT_S = 60.0
"""Limit of the initialisation. Lambda's is 10 s on machines of its own; here everything shares one machine."""
LONGEST_LIFE_S = 6 * 3600.0
"""How long credentials are used. They are good for twice as long."""
PROVISIONED, ON_DEMAND = "provisioned-concurrency", "on-demand"


class FunctionEnvironment:
    """A process of a function with its role's credentials, memory limit, folder for temporary files and log stream."""

    def __init__(
        self,
        function: DeployedFunction,
        *,
        provisioned: bool,
        engine: Engine,
        group: ProcessGroup,
        runtime: PythonRuntime,
        memory: MemoryWatch,
        logs: Logs,
    ) -> None:
        class Handler(RuntimeApi):
            def process(_) -> Process:  # noqa: N805 - `self` is the environment
                return self._environment

        self.function = function
        self.provisioned = provisioned
        self.idle_since = 0.0
        """On the clock of this local AWS."""
        self.usable = True
        self.init_s = 0.0
        self._engine, self._runtime, self._memory, self._logs = engine, runtime, memory, logs
        self._environment = ExecutionEnvironment(group)
        self._server = LoopbackServer(Handler)
        self._unique = uuid.uuid4().hex
        self._folder = engine.folder / "functions" / "tmp" / self._unique
        self._log_read = 0
        name = report.log_stream(function.version, self._unique)
        self._stream = Stream(function.log_group, name, function.name, function.role)
        self._until = time.monotonic() + LONGEST_LIFE_S

    def initialise(self) -> None:
        """Start the process and wait until it asks for its first event. Raises FunctionError."""
        began = time.monotonic()
        try:
            self._start()
        except BaseException:  # also an archive that cannot be unpacked, or a full disk
            self.end()
            raise
        self.init_s = time.monotonic() - began

    def _start(self) -> None:
        self._server.__enter__()
        try:
            credentials = self._engine.credentials(self.function.role, self.function.name, "lambda.amazonaws.com")
        except AwsError as error:
            raise FunctionError("AccessDeniedException", f"Lambda cannot assume the function's role: {error}") from None
        task_root = self._runtime.task_root(self.function.code)
        self._folder.mkdir(parents=True)
        try:
            self._environment.initialise(
                f"function-{self.function.name}-{self._unique[:8]}",
                self._runtime.command(self.function.handler),
                env=self._variables(task_root, credentials),
                cwd=task_root,
                timeout_s=INIT_S,
            )
            if self._peak_mib() > self.function.memory_mib:
                raise FunctionError(OUT_OF_MEMORY, "Runtime exited with error: signal: killed")
        finally:
            self._logs.write(self._stream, [report.init_start(self.function), *self._new_output()])

    def is_ready(self) -> bool:
        """Whether the process can serve a call. It may have ended after its last one; its credentials may be old."""
        self.usable = self.usable and time.monotonic() < self._until and self._environment.is_ready()
        return self.usable

    def invoke(self, id: str, payload: bytes, *, arn: str, trace: str, init_s: float) -> "Outcome":
        """Run one call. init_s: seconds of this environment's start that the call waited for."""
        invocation = Invocation(payload, self.function.timeout_s, id=id, function_arn=arn, trace=trace)
        began = time.monotonic()
        error: FunctionError | None = None
        response = b""
        pid = self._environment.child.pid if self._environment.child else 0

        def out_of_memory() -> None:
            invocation.finish(error=FunctionError(OUT_OF_MEMORY, "Runtime exited with error: signal: killed"))

        try:
            with self._memory.limit(pid, self.function.memory_mib, out_of_memory):
                response = self._environment.invoke(invocation)
            if self._peak_mib() > self.function.memory_mib:
                raise FunctionError(OUT_OF_MEMORY, "Runtime exited with error: signal: killed")
        except FunctionError as raised:
            error = raised
        peak = self._peak_mib()
        if error and not error.reported:  # the environment is of no more use
            self.usable = False
        body = error_object(error, self.function, id, self.how_it_ended()) if error else {}
        call = report.Call(
            id=id,
            function=self.function,
            duration_s=time.monotonic() - began,
            peak_mib=peak if not error or error.kind != OUT_OF_MEMORY else self.function.memory_mib,
            init_s=init_s,
            status=_status(error),
            error_kind=error.kind if error else "",
        )
        said = [body["errorMessage"]] if error and not error.reported else []
        lines = [report.start(id, self.function), *self._new_output(), *said, *report.end(call)]
        self._logs.write(self._stream, lines)
        return Outcome(response, body, "\n".join(lines), call)

    def end(self) -> None:
        """End the process, and remove what it wrote to its folder for temporary files."""
        self.usable = False
        self._environment.end()
        self._server.__exit__(None, None, None)
        if self._environment.child:
            self._environment.child.log.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def how_it_ended(self) -> str:
        """As Lambda says it."""
        code = self._environment.child.exit_code() if self._environment.child else None
        if not code:
            return "Runtime exited without providing a reason"
        return f"Runtime exited with error: {f'signal: {-code}' if code < 0 else f'exit status {code}'}"

    def _peak_mib(self) -> int:
        return peak_mib(self._environment.child.pid) if self._environment.child else 0

    def _new_output(self) -> list[str]:
        """The lines that the process has written since the last look."""
        if self._environment.child is None:
            return []
        with self._environment.child.log.open("rb") as log:
            log.seek(self._log_read)
            new = log.read()
        self._log_read += len(new)
        return new.decode(errors="replace").splitlines()

    def _variables(self, task_root: Path, credentials: Credentials) -> dict[str, str]:
        python_path = self._runtime.path(task_root)
        defined = runtime_variables(
            handler=self.function.handler,
            task_root=task_root,
            python_path=python_path,
            runtime_api=self._server.url.removeprefix("http://"),
            name=self.function.name,
            version=self.function.version,
            memory_mib=self.function.memory_mib,
            initialization=PROVISIONED if self.provisioned else ON_DEMAND,
            log_group=self.function.log_group,
            log_stream=self._stream.name,
            region=self._engine.region,
        )
        return {
            **defined,
            "TMPDIR": str(self._folder),
            "AWS_ENDPOINT_URL": self._engine.url,
            "AWS_LAMBDA_LOG_FORMAT": self.function.log_format,
            **({"AWS_LAMBDA_LOG_LEVEL": self.function.log_level} if self.function.log_level else {}),
            **self.function.environment,
            "PYTHONPATH": defined["PYTHONPATH"],
            **credentials.variables(),
        }


class Outcome:
    """What a call returned. error: the error object; empty if the function returned a response."""

    def __init__(self, response: bytes, error: Json, log: str, call: report.Call) -> None:
        self.response, self.error, self.log, self.call = response, error, log, call

    @property
    def payload(self) -> bytes:
        """The body of Invoke's response."""
        return json.dumps(self.error, ensure_ascii=False).encode() if self.error else self.response


def _status(error: FunctionError | None) -> str:
    if error is None:
        return "success"
    return "timeout" if error.kind == TIMED_OUT else "error"


def error_object(error: FunctionError, function: DeployedFunction, id: str, ended: str = "") -> Json:
    """Lambda's error object. ended: how the process ended."""
    if error.reported:
        return error.reported
    said = {TIMED_OUT: f"Task timed out after {function.timeout_s:.2f} seconds", EXITED: ended or str(error)}
    return {"errorType": error.kind, "errorMessage": f"RequestId: {id} Error: {said.get(error.kind, error)}"}
