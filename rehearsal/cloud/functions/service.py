"""What the engine asks of Lambda's compute: run a call, keep environments warm, end them."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from rehearsal.aws.runtime_api import FunctionError
from rehearsal.cloud.api import Engine
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.functions import report
from rehearsal.cloud.functions.deployed import DeployedFunction
from rehearsal.cloud.functions.environment import FunctionEnvironment, Outcome, error_object
from rehearsal.cloud.functions.logs import Logs, Stream
from rehearsal.cloud.functions.memory import MemoryWatch
from rehearsal.cloud.functions.metrics import Metrics
from rehearsal.cloud.functions.pool import Pool
from rehearsal.cloud.functions.python_runtime import PythonRuntime
from rehearsal.processes import ProcessGroup

IDLE_S = 600.0
"""How long an environment of a cold start stays, on the clock of this local AWS. Lambda does not say how long."""
_LOOKED_EVERY_S = 0.5


class Functions:
    """The functions of a local AWS while the `with` block runs. python: the interpreter of its Python functions."""

    def __init__(self, engine: Engine, clock: Clock, python: str) -> None:
        self._engine, self._clock = engine, clock
        folder = engine.folder / "functions"
        self._runtime = PythonRuntime(python, folder)
        self._group = ProcessGroup(folder / "output", grace_s=1.0)
        self._memory = MemoryWatch()
        self._logs = Logs(engine)
        self._metrics = Metrics(engine)
        self._pools: dict[tuple[str, str], Pool] = {}
        self._running: dict[str, int] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._group.__enter__()
        threading.Thread(target=self._end_idle, daemon=True, name="idle-functions").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._group.__exit__(kind, error, traceback)

    def invoke(
        self,
        function: DeployedFunction,
        id: str,
        payload: bytes,
        trace: str = "",
        current: Callable[[], DeployedFunction | None] = lambda: None,
    ) -> Outcome:
        """Run one call. An error of the function is in the outcome.

        current: what the name by which the function was invoked stands for at this moment. An alias may have moved
        since the caller looked it up, and the old version's environments have ended then: the call goes to the new
        version, rather than to a cold start of the old one.
        """
        with self._counted(function):
            began = time.monotonic()
            try:
                function, pool, environment, cold = self._acquire(function, current)
            except FunctionError as error:
                call = report.Call(id, function, time.monotonic() - began, 0, status="error", error_kind=error.kind)
                outcome = Outcome(b"", error_object(error, function, id), "", call)
                self._measure(function, call, failed=True)
                return outcome
            try:
                self._measure_provisioned(function, pool, environment)
                init_s = environment.init_s if cold else 0.0
                outcome = environment.invoke(id, payload, arn=function.arn, trace=trace, init_s=init_s)
            finally:
                pool.release(environment)
        self._measure(function, outcome.call, failed=bool(outcome.error))
        return outcome

    @contextlib.contextmanager
    def observed(self, function: DeployedFunction, id: str) -> Iterator[report.Observed]:
        """Write the log and the metrics of a call that the engine runs itself. The block notes what it saw."""
        seen = report.Observed()
        with self._counted(function):
            began = time.monotonic()
            yield seen
            status = "error" if seen.failed else "success"
            call = report.Call(id, function, time.monotonic() - began, 0, status=status)
        self._measure(function, call, failed=seen.failed)
        lines = [report.start(id, function), *seen.log.splitlines(), *report.end(call)]
        self._logs.write(self._stream(function), lines)

    def throttled(self, name: str) -> None:
        """Note a call that was refused because the function's concurrency is used up."""
        self._metrics.put(name, "", "", {"Throttles": 1})

    def warm(self, function: DeployedFunction, count: int) -> None:
        """Keep so many environments of a version warm, and wait for them. Raises FunctionError."""
        self._pool(function).warm(count)

    def keep_warm(self, name: str, wanted: Mapping[str, tuple[DeployedFunction, int]]) -> None:
        """Keep these environments of a function's versions warm, and no others. Raises FunctionError.

        wanted: by version, the function and the number. Those of other versions end after the new ones are ready.
        """
        for function, count in wanted.values():
            self._pool(function).warm(count)
        with self._lock:
            pools = {version: pool for (of, version), pool in self._pools.items() if of == name}
        for version, pool in pools.items():
            pool.keep(wanted[version][1] if version in wanted else 0)

    def end(self, name: str, version: str | None = None) -> None:
        """End the environments of a version, or of all versions. A busy one ends after its call."""
        with self._lock:
            ended = [key for key in self._pools if key[0] == name and version in (None, key[1])]
            pools = [self._pools.pop(key) for key in ended]
            for key in [key for key in self._streams if key[0] == name and version in (None, key[1])]:
                del self._streams[key]
        for pool in pools:
            pool.end()

    def _acquire(
        self, function: DeployedFunction, current: Callable[[], DeployedFunction | None]
    ) -> tuple[DeployedFunction, Pool, FunctionEnvironment, bool]:
        """The version that takes a call, its pool, the environment, and whether that was started for the call.

        The alias moves before the old version's environments end, so a call that finds none sees where it points now.
        """
        while True:
            pool = self._pool(function)
            if found := pool.take():
                return function, pool, found, False
            moved = current()
            if moved is None or moved.version == function.version:
                return function, pool, pool.start(), True
            function = moved

    def _pool(self, function: DeployedFunction) -> Pool:
        key = (function.name, function.version)
        with self._lock:
            found = self._pools.get(key)
            if found and found.function.fingerprint == function.fingerprint:
                return found
            made = self._pools[key] = Pool(function, self._environment, self._clock.now)
        if found:
            found.end()
        return made

    def _environment(self, function: DeployedFunction, provisioned: bool) -> FunctionEnvironment:
        return FunctionEnvironment(
            function,
            provisioned=provisioned,
            engine=self._engine,
            group=self._group,
            runtime=self._runtime,
            memory=self._memory,
            logs=self._logs,
        )

    def _end_idle(self) -> None:
        while not self._over.wait(_LOOKED_EVERY_S):
            with self._lock:
                pools = list(self._pools.values())
            for pool in pools:
                pool.end_idle(self._clock.now() - IDLE_S)

    @contextlib.contextmanager
    def _counted(self, function: DeployedFunction) -> Iterator[None]:
        with self._lock:
            running = self._running[function.name] = self._running.get(function.name, 0) + 1
        self._metrics.put(function.name, function.qualifier, function.version, {"ConcurrentExecutions": running})
        try:
            yield
        finally:
            with self._lock:
                self._running[function.name] -= 1

    def _measure(self, function: DeployedFunction, call: report.Call, *, failed: bool) -> None:
        """function: as it was invoked. That of the call is as its process was started."""
        values = {"Invocations": 1, "Errors": float(failed), "Throttles": 0, "Duration": call.duration_s * 1000}
        self._metrics.put(function.name, function.qualifier, function.version, values)

    def _measure_provisioned(self, function: DeployedFunction, pool: Pool, environment: FunctionEnvironment) -> None:
        provisioned = pool.provisioned  # read once: an alias may move at this moment
        if not provisioned:
            return
        busy = pool.busy_provisioned()
        used = "ProvisionedConcurrencyInvocations"
        spilled = "ProvisionedConcurrencySpilloverInvocations"
        values = {
            used if environment.provisioned else spilled: 1.0,
            "ProvisionedConcurrentExecutions": busy,
            "ProvisionedConcurrencyUtilization": busy / provisioned,
        }
        self._metrics.put(function.name, function.qualifier, function.version, values)

    def _stream(self, function: DeployedFunction) -> Stream:
        """The log stream of a version that the engine runs."""
        key = (function.name, function.version)
        with self._lock:
            if key not in self._streams:
                name = report.log_stream(function.version, uuid.uuid4().hex)
                self._streams[key] = Stream(function.log_group, name, function.name, function.role)
            return self._streams[key]
