"""Stops this notebook instance when nothing has used it for a while. A timer runs it every five minutes, as root.

    python3 idle_stop.py MINUTES

Used means: a kernel is busy or ran a cell, a terminal printed, a notebook was saved, or processors or GPU work. A
browser tab that is merely open is no use: that is how notebooks run all weekend. Standard library only, on the host's
own Python, which may be as old as 3.9.
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
"""Made by the first run after a start; /run is empty then."""
BUSY_LOAD = 0.5
BUSY_GPU_PERCENT = 5


def main(minutes: float) -> None:
    now = time.time()
    if not STARTED.exists():
        STARTED.touch()
    idle = (now - max([STARTED.stat().st_mtime, *uses(now)])) / 60
    print(f"idle_min={idle:.0f} limit_min={minutes:.0f}", flush=True)
    if idle >= minutes:
        name = json.loads(METADATA.read_text())["ResourceName"]
        subprocess.run(["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=True)


def uses(now: float) -> Iterator[float]:
    """The times at which something was last used. What cannot be asked tells nothing, and hides nothing else."""
    if os.getloadavg()[2] >= BUSY_LOAD or gpu_percent() >= BUSY_GPU_PERCENT:
        STARTED.touch()  # remembered: work that ends between two runs was use too
        yield now
    for kernel in ask("kernels"):
        busy = kernel.get("execution_state") == "busy"
        yield now if busy else seconds(kernel["last_activity"])
    for terminal in ask("terminals"):
        yield seconds(terminal["last_activity"])
    for notebook in NOTEBOOKS.rglob("*.ipynb"):
        yield notebook.stat().st_mtime


def ask(kind: str) -> list[dict[str, Any]]:
    """What Jupyter runs. Its certificate is its own, and the connection never leaves the host."""
    unverified = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(f"{JUPYTER}/api/{kind}", timeout=10, context=unverified) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)
            return found
    except (OSError, ValueError) as error:
        print(f"Jupyter tells nothing of its {kind}: {error}", flush=True)
        return []


def gpu_percent() -> float:
    try:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        return max(float(line) for line in subprocess.check_output(query, text=True, timeout=30).split())
    except (OSError, ValueError, subprocess.SubprocessError):  # no GPU, or none that works
        return 0


def seconds(moment: str) -> float:
    """2026-11-22T10:00:00.000000Z, as seconds since 1970."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main(float(sys.argv[1]))
