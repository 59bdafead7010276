"""The artifact answers as the trained network did, or the run fails."""

import io
import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from inference import artifact
from inference.classifier import Classifier
from inference.images import Pixels, Preprocessing
from inference.runtime import Network
from tests.distributed.dogs import small_resnet, write_photos
from training.data import DataSet, scan
from training.export import ExportError, claim, export, prove, source_hash
from training.quantise import INPUT, judge, quantise

SMALL = Preprocessing.for_size(32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return scan(write_photos(tmp_path_factory.mktemp("photos")))


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(5)
    network: torch.nn.Module = small_resnet(num_classes=3)
    return network


@pytest.fixture(scope="module")
def exported(data: DataSet, model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    export(model, folder, data=data, preprocessing=SMALL, precision="fp32", training={"source": source_hash()})
    return folder


def accuracy(folder: Path, data: DataSet) -> float:
    classifier = Classifier(folder)
    photos = data.used("test")
    right = [classifier.predict(p.path.read_bytes())[0].breed == data.labels[p.label] for p in photos]
    return sum(right) / len(right)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_onnx_network_answers_as_the_torch_network(exported: Path, model: torch.nn.Module, count: int) -> None:
    batch = np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)
    ours = Network((exported / artifact.MODEL).read_bytes(), threads=2).logits(batch)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(batch)).numpy()
    assert np.abs(ours - theirs).max() < 1e-4


def test_the_manifest_vouches_for_every_file(exported: Path) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    files = {path.name for path in exported.iterdir()} - {artifact.MANIFEST}
    assert files == {"model.onnx", "labels.json", "model.safetensors"} == manifest["files"].keys()
    assert all(artifact.sha256((exported / name).read_bytes()) == digest for name, digest in manifest["files"].items())
    assert manifest["precision"] == "fp32"
    assert manifest["training"] == {"source": source_hash(), "quantisation": None}


def test_a_sound_artifact_is_proven(exported: Path, data: DataSet) -> None:
    scored = accuracy(exported, data)
    assert prove(exported, data.used("test"), labels=data.labels, accuracy=scored) == scored


def test_permuted_labels_are_caught_though_the_checksums_hold(exported: Path, data: DataSet, tmp_path: Path) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    labels = json.dumps([data.labels[i] for i in (1, 0, 2)]).encode()
    manifest["files"]["labels.json"] = artifact.sha256(labels)
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    (tmp_path / "labels.json").write_bytes(labels)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    Classifier(tmp_path)  # serving would load it
    with pytest.raises(ExportError, match="in another order"):
        prove(tmp_path, data.used("test"), labels=data.labels, accuracy=accuracy(exported, data))


def test_an_accuracy_that_serving_does_not_reach_is_caught(exported: Path, data: DataSet) -> None:
    scored = accuracy(exported, data)
    with pytest.raises(ExportError, match="scores"):
        prove(exported, data.used("test"), labels=data.labels, accuracy=scored + (0.5 if scored < 0.5 else -0.5))


def test_a_changed_file_is_caught(exported: Path, data: DataSet, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.onnx").write_bytes((tmp_path / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(artifact.ArtifactError, match="SHA-256"):
        prove(tmp_path, data.used("test"), labels=data.labels, accuracy=1.0)


def test_a_folder_that_cannot_be_written_is_known_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="--model-dir"):
        claim(tmp_path / "file")
    claim(tmp_path / "new" / "model")
    assert list((tmp_path / "new" / "model").iterdir()) == []


def any_pixels(count: int) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 4, 4)).astype(np.float32) for _ in range(count)]


def mean_colour(*, shift: float = 0.0) -> bytes:
    """A network whose logits are the means of red, green and blue, with `shift` added to red's."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", [INPUT], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("Add", ["flat", "shift"], ["logits"]),
        ],
        "mean colour",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.asarray([shift, 0, 0], np.float32), "shift")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    return buffer.getvalue()


def labels_of(photos: list[Pixels]) -> list[int]:
    return [int(photo.mean(axis=(1, 2)).argmax()) for photo in photos]


def test_a_network_that_answers_the_same_passes_the_gate() -> None:
    photos = any_pixels(40)
    verdict = judge(mean_colour(), mean_colour(shift=1e-6), iter(photos), labels_of(photos))
    assert verdict.keep_int8
    assert (verdict.fp32_accuracy, verdict.int8_accuracy, verdict.agreement, verdict.photos) == (1.0, 1.0, 1.0, 40)


def test_a_network_that_loses_accuracy_does_not() -> None:
    photos = any_pixels(40)
    verdict = judge(mean_colour(), mean_colour(shift=9.0), photos, labels_of(photos))
    assert not verdict.keep_int8
    assert "accuracy would fall" in verdict.reason


def test_a_network_that_errs_elsewhere_does_not() -> None:
    photos = any_pixels(40)
    verdict = judge(mean_colour(), mean_colour(shift=9.0), photos, [0] * 40)  # it is right more often, by luck
    assert verdict.int8_accuracy > verdict.fp32_accuracy
    assert not verdict.keep_int8
    assert "agree" in verdict.reason


@pytest.mark.parametrize("agrees", [True, False])
def test_the_manifest_says_which_precision_and_why(
    data: DataSet,
    model: torch.nn.Module,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    agrees: bool,
) -> None:
    """int8 is kept exactly where the gate says so, whatever it is: here its bars are moved."""
    fp32 = (exported / "model.onnx").read_bytes()
    monkeypatch.setattr("training.export._onnx", lambda *_: fp32)  # it takes seconds, and would be the same
    monkeypatch.setattr("training.quantise.MAX_ACCURACY_DROP", 1.0)
    monkeypatch.setattr("training.quantise.MIN_AGREEMENT", 0.0 if agrees else 1.01)
    manifest = export(model, tmp_path, data=data, preprocessing=SMALL, precision="auto", training={})
    why = manifest.training["quantisation"]
    network = onnx.load_from_string((tmp_path / "model.onnx").read_bytes())

    assert manifest.precision == ("int8" if agrees else "fp32")
    assert why["keep_int8"] is agrees
    assert ("within the gate" in why["reason"]) is agrees
    assert any(node.op_type == "QuantizeLinear" for node in network.graph.node) is agrees
    assert len(Classifier(tmp_path).labels) == 3


def test_quantising_leaves_the_root_logger_as_it_was(exported: Path) -> None:
    before = logging.getLogger().level
    rng = np.random.default_rng(0)
    quantise((exported / "model.onnx").read_bytes(), [rng.normal(size=(3, 32, 32)).astype(np.float32)] * 2)
    assert logging.getLogger().level == before
