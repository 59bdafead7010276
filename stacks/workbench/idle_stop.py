"""Stop this notebook instance when it has been idle for MINUTES. A systemd timer runs this every five minutes, as root.

    python3 idle_stop.py MINUTES

The instance is in use while a kernel is busy or has run a cell, a terminal has printed, a notebook was saved, or the
CPUs or the GPU work. An open browser tab does not count: forgotten tabs are what keeps notebooks running over weekends.
Standard library only; the instance's Python may be as old as 3.9.
"""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

JUPYTER = "https://localhost:8443"
NOTEBOOKS = Path("/home/ec2-user/SageMaker")
METADATA = Path("/opt/ml/metadata/resource-metadata.json")
STARTED = Path("/run/kennel-idle-stop")
"""Created by the first run after each start, since a start empties /run. Its mtime is the last CPU or GPU use."""
BUSY_LOAD = 0.5
BUSY_GPU_PERCENT = 5


def main(minutes: float) -> None:
    now = time.time()
    if not STARTED.exists():
        STARTED.touch()
    idle = (now - max([STARTED.stat().st_mtime, *last_uses(now)])) / 60
    print(f"idle_min={idle:.0f} limit_min={minutes:.0f}", flush=True)
    if idle >= minutes:
        name = json.loads(METADATA.read_text())["ResourceName"]
        subprocess.run(["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=True)


def last_uses(now: float) -> Iterator[float]:
    """The times, in seconds since 1970, at which each thing was last used. A source that fails is left out."""
    if os.getloadavg()[2] >= BUSY_LOAD or gpu_percent() >= BUSY_GPU_PERCENT:
        STARTED.touch()  # so that work counts, too, after it has ended
        yield now
    for kernel in jupyter("kernels"):
        busy = kernel.get("execution_state") == "busy"
        yield now if busy else seconds(kernel["last_activity"])
    for terminal in jupyter("terminals"):
        yield seconds(terminal["last_activity"])
    for notebook in NOTEBOOKS.rglob("*.ipynb"):
        yield notebook.stat().st_mtime


def jupyter(kind: str) -> list[dict[str, Any]]:
    """Jupyter's kernels or terminals. Its certificate is self-signed; the connection does not leave the host."""
    unverified = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(f"{JUPYTER}/api/{kind}", timeout=10, context=unverified) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)
            return found
    except (OSError, ValueError) as error:
        print(f"cannot list the {kind} of Jupyter: {error}", flush=True)
        return []


def gpu_percent() -> float:
    try:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        return max(float(line) for line in subprocess.check_output(query, text=True, timeout=30).split())
    except (OSError, ValueError, subprocess.SubprocessError):  # no GPU, or one that does not work
        return 0


def seconds(moment: str) -> float:
    """2026-11-22T10:00:00.000000Z, as seconds since 1970."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main(float(sys.argv[1]))
