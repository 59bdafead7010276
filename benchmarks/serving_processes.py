"""The two compared servers, each as a process: Kennel's, and AWS's PyTorch serving stack."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.http_load import Connection, invocation
from rehearsal.aws.sagemaker_runtime import in_service
from rehearsal.processes import Child, ProcessGroup, free_port

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "benchmarks" / "reference_serving"
VENV = ROOT / ".venv-torchserve"
START_S = 120


class Server:
    """A running server on a loopback port."""

    def __init__(self, child: Child, port: int, ready_s: float) -> None:
        self.child = child
        self.port = port
        self.ready_s = ready_s
        """From the start of the process to the first successful response."""

    def resident_mb(self, field: str = "VmRSS") -> float:
        """Memory of the process and its children. `field`: VmRSS, or VmHWM for the peak."""
        return sum(_status(pid, field) for pid in _family(self.child.pid)) / 1024

    def memory_mb(self) -> dict[str, float]:
        """Memory of the process and its children, by the names of smaps_rollup in proc(5): Rss, Pss, Private_Dirty and
        more. Rss counts the pages of shared libraries too, Pss a process's share of them."""
        found: Counter[str] = Counter()
        for pid in _family(self.child.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, size = line.split(":")
                found[name] += int(size.split()[0])
        return {name: kib / 1024 for name, kib in found.items()}

    def processor_s(self) -> float:
        """Seconds that all threads of the process and its children have run, those that have ended included. Other
        programs on the same cores change it far less than the time that a caller waits. Children that have ended are
        not counted."""
        # a process's clock by its id: clock_getcpuclockid(3)
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in _family(self.child.pid))

    def descriptors(self) -> int:
        """Files and sockets that the process has open."""
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))


def wait_for(condition: Callable[[], bool], *, timeout_s: float) -> None:
    """Wait until `condition` is true or the timeout has passed."""
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def kennel(group: ProcessGroup, model_dir: Path, name: str = "kennel") -> Server:
    """Start Kennel's server and wait until /ping returns 200, which needs a real prediction."""
    port = free_port()
    command = [sys.executable, "-m", "inference.server", "--model-dir", str(model_dir), "--port", str(port)]
    started = time.perf_counter()
    child = group.start(name, command, cwd=ROOT)
    group.wait_until(lambda: in_service(f"http://127.0.0.1:{port}"), what="the server", timeout_s=START_S)
    return Server(child, port, time.perf_counter() - started)


def reference(group: ProcessGroup, folder: Path, photo: bytes, name: str, env: Mapping[str, str]) -> Server:
    """Start TorchServe and wait until it answers a photo. Its /ping returns 200 long before that."""
    port = free_port()
    command = [str(REFERENCE / "serve.sh"), str(VENV), str(folder), str(port)]
    started = time.perf_counter()
    own_ports = {  # TorchServe's default ports are fixed, so two instances would collide
        "TS_GRPC_INFERENCE_PORT": str(free_port()),
        "TS_GRPC_MANAGEMENT_PORT": str(free_port()),
        "TS_METRICS_ADDRESS": f"http://127.0.0.1:{free_port()}",
    }
    child = group.start(name, command, env={**os.environ, **own_ports, **env})

    def is_ready() -> bool:
        try:
            with Connection(port) as connection:
                return connection.send(invocation(photo)).status == 200
        except OSError:
            return False

    group.wait_until(is_ready, what="TorchServe", timeout_s=START_S)
    return Server(child, port, time.perf_counter() - started)


def reference_model(model_dir: Path, folder: Path) -> Path:
    """The artifact's float32 weights in the layout of the stock stack: model.pth and code/inference.py."""
    import torch
    from safetensors.torch import load_file

    (folder / "code").mkdir(parents=True, exist_ok=True)
    shutil.copy(REFERENCE / "inference.py", folder / "code" / "inference.py")
    shutil.copy(model_dir / "labels.json", folder / "labels.json")
    torch.save(load_file(model_dir / "model.safetensors"), folder / "model.pth")
    return folder


def missing_for_reference() -> str | None:
    """The reason why the reference cannot run here, or None if it can."""
    if not (VENV / "bin" / "serve").is_file():
        return "The reference stack is not installed. Run `make bench-serving`, which installs it."
    java = shutil.which("java")
    if java is None or subprocess.run([java, "-version"], capture_output=True, check=False).returncode:
        return "TorchServe needs Java 17 (Debian, Ubuntu: apt install openjdk-17-jre-headless)."
    namespaces = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(namespaces, capture_output=True, check=False).returncode:
        return "The reference needs user namespaces, which this machine does not allow: `unshare --user` failed."
    return None


def precision(model_dir: Path) -> str:
    return str(json.loads((model_dir / "manifest.json").read_text())["precision"])


def _family(pid: int) -> list[int]:
    family = [pid]
    for parent in family:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            family += map(int, children.read_text().split())
    return family


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
