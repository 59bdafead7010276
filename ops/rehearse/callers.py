"""Callers who send a photo to the function again and again, while the deployment changes."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ops.rehearse.function import Function

INTERVAL_S = 0.2


@dataclass(slots=True)
class Calls:
    """What the callers got."""

    statuses: Counter[str] = field(default_factory=Counter)
    """How many calls ended with each status; a call without one is counted by its error."""
    models: Counter[str] = field(default_factory=Counter)
    """How many answers each model gave."""
    failures: list[str] = field(default_factory=list)
    """Calls that did not end with 200: when, and with what."""

    @property
    def total(self) -> int:
        """All calls."""
        return self.statuses.total()


@contextmanager
def callers(function: Function, event: dict[str, Any], interval_s: float = INTERVAL_S) -> Iterator[Calls]:
    """Call the function once in an interval until the end of the block. A call is not repeated."""
    calls, ended = Calls(), threading.Event()
    started = time.monotonic()

    def call() -> None:
        while not ended.is_set():
            next_one = time.monotonic() + interval_s
            _call(function, event, calls, started)
            ended.wait(max(0.0, next_one - time.monotonic()))

    thread = threading.Thread(target=call, name="callers", daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        ended.set()
        thread.join()


def _call(function: Function, event: dict[str, Any], calls: Calls, started: float) -> None:
    try:
        answer = function.invoke(event)
        status, body = str(answer["statusCode"]), json.loads(answer["body"])
    except Exception as error:  # any of it is a call that failed for the caller
        status, body = type(error).__name__, {"error": str(error)}
    calls.statuses[status] += 1
    if status == "200":
        calls.models[body["model"]] += 1
    else:
        calls.failures.append(f"after {time.monotonic() - started:.1f} s: {status} {json.dumps(body)[:300]}")
