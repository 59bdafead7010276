"""The lines that Lambda itself writes to a function's log, in the function's log format.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from rehearsal.cloud.functions.deployed import DeployedFunction


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has ended. peak_mib: 0 if it was not measured. init_s: how long the call waited for a cold start.

    status: "success", "error" or "timeout".
    """

    id: str
    function: DeployedFunction
    duration_s: float
    peak_mib: int
    init_s: float = 0.0
    status: str = "success"
    error_kind: str = ""


@dataclass(slots=True)
class Observed:
    """What was seen of a call that the engine runs itself. log: the function's own lines."""

    failed: bool = False
    log: str = ""


def init_start(function: DeployedFunction) -> str:
    """The first line of a log stream."""
    if function.log_format == "JSON":
        return _event("initStart", functionName=function.name, functionVersion=function.version)
    return f"INIT_START Runtime Version: {function.runtime.replace('python', 'python:')}"


def start(id: str, function: DeployedFunction) -> str:
    """The line before the function's own lines."""
    if function.log_format == "JSON":
        return _event("start", requestId=id, version=function.version)
    return f"START RequestId: {id} Version: {function.version}"


def end(call: Call) -> list[str]:
    """The lines after the function's own lines."""
    ms, limit = call.duration_s * 1000, call.function.memory_mib
    peak = min(call.peak_mib, limit)
    if call.function.log_format == "JSON":
        metrics: dict[str, float] = {
            "durationMs": round(ms, 3),
            "billedDurationMs": math.ceil(ms),
            "memorySizeMB": limit,
        }
        if peak:
            metrics["maxMemoryUsedMB"] = peak
        if call.init_s:
            metrics["initDurationMs"] = round(call.init_s * 1000, 3)
        return [_event("report", requestId=call.id, metrics=metrics, status=call.status)]
    used = f"Max Memory Used: {peak} MB\t" if peak else ""
    init = f"Init Duration: {call.init_s * 1000:.2f} ms\t" if call.init_s else ""
    how = "" if call.status == "success" else f"Status: {call.status}"
    how += f"\tError Type: {call.error_kind}" if call.status == "error" else ""
    return [
        f"END RequestId: {call.id}",
        f"REPORT RequestId: {call.id}\tDuration: {ms:.2f} ms\tBilled Duration: {math.ceil(ms)} ms\t"
        f"Memory Size: {limit} MB\t{used}{init}{how}",
    ]


def log_stream(version: str, unique: str) -> str:
    """The name of an execution environment's log stream."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{unique}"


def _event(kind: str, **record: object) -> str:
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, "type": f"platform.{kind}", "record": record})
