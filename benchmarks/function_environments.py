"""Execution environments of the function and of its reference, with what AWS gives them and nothing else.

That is the deployed package, read-only and not compiled, and the packages of Lambda's Python.
"""

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.runtime_api import FunctionError
from rehearsal.cloud.functions.python_runtime import PythonRuntime
from stacks.api.package import BESIDE_PACKAGE
from stacks.common.sources import sources
from tests.faults.fault_kinds import leaks_in

ROOT = Path(__file__).resolve().parents[1]
BARE = "bare_function.handler"
KENNEL = "lambda_fn.handler.handler"


@dataclass(frozen=True, slots=True)
class Result:
    """What a caller got for one event. status 0: nothing, because the function ended or did not respond."""

    status: int
    code: str
    """Of an error; empty if there is a prediction, and the kind of Lambda's error if there is nothing."""
    seconds: float
    leaks: tuple[str, ...]


class Functions:
    """The packages of the functions in `folder`, from which environments start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packages = PythonRuntime(sys.executable, folder).packages()
        self._roots = {
            KENNEL: self._unpacked("kennel", sources(ROOT, packages=["lambda_fn"], files=BESIDE_PACKAGE)),
            BARE: self._unpacked("bare", {"bare_function.py": (ROOT / "benchmarks/bare_function.py").read_bytes()}),
        }

    def start(
        self, handler: str, url: str, *, timeout_s: float = 29, env: Mapping[str, str] | None = None
    ) -> LambdaRuntime:
        """A function in front of the SageMaker Runtime at `url`. Enter it to start its environment."""
        written = {
            "ENDPOINT_NAME": "dogs",
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url,
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
            **(env or {}),
        }
        return LambdaRuntime(
            handler, task_root=self._roots[handler], env=written, timeout_s=timeout_s, packages=self._packages
        )

    @contextmanager
    def several(self, count: int, url: str, *, timeout_s: float = 29) -> Iterator[list[LambdaRuntime]]:
        """So many environments of the function."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.start(KENNEL, url, timeout_s=timeout_s)) for _ in range(count)]

    def _unpacked(self, name: str, files: dict[str, bytes]) -> Path:
        root = self._folder / name
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root


def drive(environments: Sequence[LambdaRuntime], event: bytes, count: int) -> list[Result]:
    """Send the event `count` times, to each environment its next one after its last response."""
    numbers = itertools.count()
    results: list[Result] = []

    def caller(environment: LambdaRuntime) -> None:
        while next(numbers) < count:  # a single step of the interpreter, so no two callers get the same number
            results.append(result(environment, event))

    callers = [threading.Thread(target=caller, args=(environment,)) for environment in environments]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    return results


def result(environment: LambdaRuntime, event: bytes) -> Result:
    """What a caller gets for the event."""
    began = time.monotonic()
    try:
        response: dict[str, Any] = json.loads(environment.invoke_raw(event))
    except FunctionError as ended:
        return Result(0, ended.kind, time.monotonic() - began, ())
    seconds = time.monotonic() - began
    code = json.loads(response["body"]).get("error", {}).get("code", "")
    return Result(response["statusCode"], code, seconds, tuple(leaks_in(response)))


def pid(environment: LambdaRuntime) -> int:
    """Of the environment's process."""
    child = environment.environment.child
    if child is None:
        raise RuntimeError("The execution environment has no process.")
    return child.pid


def processor_ms(environment: LambdaRuntime) -> float:
    """Processor time of the environment's process, of threads that have ended too. Linux's clock of a process."""
    return time.clock_gettime_ns((~pid(environment) << 3) | 2) / 1e6


def memory_mb(environment: LambdaRuntime) -> float:
    """Resident memory of the environment's process."""
    lines = Path(f"/proc/{pid(environment)}/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(found) / 1024
