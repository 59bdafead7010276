"""The network's runtime beside what else a process does."""

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
heard = []
signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
os.kill(os.getpid(), signal.SIGTERM)
assert heard == [signal.SIGTERM]
"""


def test_importing_it_reports_nothing_to_anybody() -> None:
    code = "import inference.runtime, sys; sys.exit('openvino_telemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def after_two_networks(tmp_path: Path, cores: str) -> int:
    """Exit status of a process that gets SIGTERM after it has had two networks, and has let go of both."""
    (tmp_path / "model.onnx").write_bytes(network(3))
    command = [sys.executable, "-c", SIGNALLED, str(tmp_path / "model.onnx"), cores]
    return subprocess.run(command, check=False).returncode


def test_a_signal_is_heard_after_networks_have_come_and_gone(tmp_path: Path) -> None:
    assert after_two_networks(tmp_path, "one") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="OpenVINO changes the signal stack on Linux only")
def test_one_core_is_still_needed_for_that(tmp_path: Path) -> None:
    """Where this fails on a processor like the one where it was seen (AMX), `_core` may become `ov.Core()` again."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("OpenVINO changes the signal stack only where the processor has AMX")
    assert after_two_networks(tmp_path, "many") < 0
