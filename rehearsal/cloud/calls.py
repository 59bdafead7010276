"""The record of decided calls: a line of JSON each in `calls.jsonl`."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

FILE = "calls.jsonl"


class _Decision(Protocol):
    """`rehearsal.cloud.engine.Decision`."""

    @property
    def principal(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def context(self) -> Mapping[str, Any]: ...
    @property
    def denied(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...


class CallRecord:
    """Writes each decision of the engine into a file."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE).open("a", buffering=1)
        self._lock = threading.Lock()

    def __call__(self, decision: _Decision) -> None:
        line = {
            "time": round(time.time(), 3),
            "principal": decision.principal,
            "action": decision.action,
            "resource": decision.resource,
            "region": decision.region,
            "context": {key: str(value) for key, value in decision.context.items()},
            "denied": decision.denied,
            "needs": decision.needs,
        }
        with self._lock:
            self._file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True)
class Call:
    """A decided call. denied: empty, or how it was denied. needs: digests of statements (`Decision`)."""

    principal: str
    action: str
    resource: str
    region: str
    context: Mapping[str, str]
    denied: str
    needs: tuple[str, ...]

    @property
    def role(self) -> str:
        """The name of the caller's role, or empty."""
        _, assumed, rest = self.principal.partition(":assumed-role/")
        return rest.partition("/")[0] if assumed else ""


def read_calls(folder: Path, containing: str = "") -> Iterator[Call]:
    """The calls that were recorded in the folder of a local AWS, in their order.

    containing: a role's name, an ARN or another text that the wanted calls have.
    """
    with (folder / FILE).open() as lines:
        for line in lines:
            if containing in line and line.endswith("\n"):  # the last one may still be in writing
                found = json.loads(line)
                del found["time"]
                yield Call(**{**found, "needs": tuple(found["needs"])})
