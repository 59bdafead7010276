"""A loaded network has its weights once in memory, wherever a temporary file is possible, and predicts as before."""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from onnx import helper

from inference.artifact import MODEL
from inference.runtime import Network
from inference.weights import WeightsFile
from tests.builders import LABELS, onnx_model, write_artifact

LAYERS, CHANNELS = 8, 512
WEIGHTS_BYTES = LAYERS * CHANNELS * CHANNELS * 3 * 3 * 4

LOADED = """
import json, sys
from pathlib import Path
from inference import runtime
from inference.classifier import Classifier

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

runtime._core()
before = memory("VmRSS:")
classifier = Classifier(sys.argv[1], threads=1)
print(json.dumps({"resident": memory("VmRSS:") - before, "peak": memory("VmHWM:") - before}))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps weights in a file")


def large_network(layers: int = LAYERS) -> bytes:
    """Convolutions of 9 MB each, over few pixels."""
    rng = np.random.default_rng(0)
    sizes = [3, *[CHANNELS] * layers, len(LABELS)]
    constants = {
        f"weight {number}": rng.standard_normal((outputs, inputs, 3, 3)) * (2 / (9 * inputs)) ** 0.5
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
    }
    nodes, source = [], "photos"
    for number, weight in enumerate(constants):
        nodes += [
            helper.make_node("Conv", [source, weight], [f"sum {number}"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"sum {number}"], [f"layer {number}"]),
        ]
        source = f"layer {number}"
    nodes += [
        helper.make_node("GlobalAveragePool", [source], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    return onnx_model(nodes, constants, output_shape=["batch", len(LABELS)])


def growth(folder: Path, model: bytes) -> dict[str, int]:
    """Bytes by which memory grows while a process loads the model and predicts one photo."""
    write_artifact(folder, model=model)
    ended = subprocess.run([sys.executable, "-c", LOADED, str(folder)], check=True, capture_output=True, text=True)
    found: dict[str, int] = json.loads(ended.stdout)
    return found


def test_memory_holds_the_weights_once_and_twice_while_loading(tmp_path: Path) -> None:
    """The rest of the growth is OpenVINO's own code, which a network with one layer needs too."""
    small, large = growth(tmp_path / "small", large_network(1)), growth(tmp_path / "large", large_network())

    weights = WEIGHTS_BYTES * (LAYERS - 1) / LAYERS
    assert large["resident"] - small["resident"] < 1.5 * weights  # it was 2: OpenVINO's copy, and the model's
    assert large["peak"] - small["peak"] < 2 * weights  # it was 3: also the bytes of the file


def weights_of(graph: ov.Model) -> dict[str, np.ndarray]:
    return {each.get_friendly_name(): each.data for each in graph.get_ordered_ops() if isinstance(each, ov.op.Constant)}


def test_weights_that_were_dropped_are_read_back_from_the_file() -> None:
    graph = ov.Core().read_model(large_network(2))
    before = {name: values.copy() for name, values in weights_of(graph).items()}

    weights = WeightsFile(graph)
    with weights.dropped():
        pass
    weights.drop()

    after = weights_of(graph)
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values)  # exact: the same bytes


def photo() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)


def test_a_network_loads_without_a_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = large_network(2)
    expected = Network(model, threads=1).logits(photo())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    np.testing.assert_allclose(Network(model, threads=1).logits(photo()), expected, rtol=1e-5)


WITHOUT_SPACE = """
import resource, sys
from pathlib import Path
import numpy as np
from inference.runtime import Network
from tests.unit.test_weights import photo

model = Path(sys.argv[1]).read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
logits = Network(model, threads=1).logits(photo())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
np.save(sys.argv[3], logits)
"""


@pytest.mark.parametrize("space", [0, 2**20])
def test_a_network_loads_where_its_temporary_files_have_no_space(tmp_path: Path, space: int) -> None:
    model = large_network(2)
    (tmp_path / MODEL).write_bytes(model)
    arguments = [str(tmp_path / MODEL), str(space), str(tmp_path / "logits.npy")]
    subprocess.run([sys.executable, "-c", WITHOUT_SPACE, *arguments], check=True)

    expected = Network(model, threads=1).logits(photo())
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5)
