"""Stop this notebook instance when it has been idle for MINUTES. A systemd timer runs this every five minutes.

    python3 idle_stop.py MINUTES

The instance is in use while a kernel is busy or has run a cell, a terminal has printed, a notebook was saved, or the
CPUs or the GPU work. An open browser tab does not count: forgotten tabs are what keeps notebooks running over weekends.
It runs as the notebook's user, because it reads what that user may have changed. Standard library only; the instance's
Python may be as old as 3.9.
"""

import http.client
import json
import os
import ssl
import stat
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
"""Created by on_start.sh at each start. Its mtime is the last CPU or GPU use."""
BUSY_LOAD = 0.5
BUSY_GPU_PERCENT = 5


def main(minutes: float) -> None:
    used = [past(moment) for moment in last_uses()]
    idle = (time.time() - max(used)) / 60
    print(f"idle_min={idle:.0f} limit_min={minutes:.0f}", flush=True)
    if idle >= minutes:
        name = json.loads(METADATA.read_text())["ResourceName"]
        subprocess.run(["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=True)


def last_uses() -> Iterator[float]:
    """The times, in seconds since 1970, at which each thing was last used. What cannot be read is left out."""
    if os.getloadavg()[2] >= BUSY_LOAD or gpu_percent() >= BUSY_GPU_PERCENT:
        STARTED.touch()  # so that work counts, too, after it has ended
    elif STARTED.stat().st_mtime > time.time():
        STARTED.touch()  # the clock was set back since the start
    yield STARTED.stat().st_mtime
    for kernel in jupyter("kernels"):
        yield time.time() if kernel.get("execution_state") == "busy" else seconds(kernel.get("last_activity"))
    for terminal in jupyter("terminals"):
        yield seconds(terminal.get("last_activity"))
    for folder, _, names in os.walk(NOTEBOOKS):  # which leaves out a folder that has been deleted meanwhile
        for name in names:
            if name.endswith(".ipynb"):
                yield saved(Path(folder, name))


def past(moment: float) -> float:
    """`moment`, or 0 if it is in the future: it is not the time of a use, and would prevent the stop until then."""
    return moment if moment <= time.time() else 0


def saved(notebook: Path) -> float:
    """When the file was last written; 0 if it is a link, such as Emacs's `.#name.ipynb`, or has been deleted."""
    try:
        found = notebook.lstat()
    except OSError:
        return 0
    return found.st_mtime if stat.S_ISREG(found.st_mode) else 0


def jupyter(kind: str) -> list[dict[str, Any]]:
    """Jupyter's kernels or terminals. Its certificate is self-signed; the connection does not leave the host."""
    unverified = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(f"{JUPYTER}/api/{kind}", timeout=10, context=unverified) as answer:  # noqa: S310
            found = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"cannot list the {kind} of Jupyter: {error}", flush=True)
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def gpu_percent() -> float:
    try:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        return max(float(line) for line in subprocess.check_output(query, text=True, timeout=30).split())
    except (OSError, ValueError, subprocess.SubprocessError):  # no GPU, or one that does not work
        return 0


def seconds(moment: object) -> float:
    """2026-11-22T10:00:00.000000Z, as seconds since 1970; 0 for what is no time."""
    try:
        return datetime.fromisoformat(str(moment).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0


if __name__ == "__main__":
    main(float(sys.argv[1]))
