"""The network's runtime and the rest of the process: imports and signals."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import network

SIGNALLED = """
import os, signal, sys
from pathlib import Path
import openvino as ov
from inference import runtime

if sys.argv[2] == "many":
    runtime._core = ov.Core
model = Path(sys.argv[1]).read_bytes()
first, second = runtime.Network(model, threads=1), runtime.Network(model, threads=1)
del first
del second
received = []
signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
os.kill(os.getpid(), signal.SIGTERM)
assert received == [signal.SIGTERM]
"""


def test_importing_the_runtime_does_not_import_telemetry() -> None:
    code = "import inference.runtime, sys; sys.exit('openvino_telemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def after_two_networks(tmp_path: Path, cores: str) -> int:
    """Exit status of a process that gets SIGTERM after it has created and deleted two networks."""
    (tmp_path / "model.onnx").write_bytes(network(3))
    command = [sys.executable, "-c", SIGNALLED, str(tmp_path / "model.onnx"), cores]
    return subprocess.run(command, check=False).returncode


def test_a_signal_is_handled_after_two_networks_were_deleted(tmp_path: Path) -> None:
    assert after_two_networks(tmp_path, "one") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="OpenVINO changes the signal stack on Linux only")
def test_two_openvino_cores_still_break_signal_handling(tmp_path: Path) -> None:
    """If this fails on a processor with AMX, where the fault was seen, `_core` may become `ov.Core()` again."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("OpenVINO changes the signal stack only on a processor with AMX")
    assert after_two_networks(tmp_path, "many") < 0
