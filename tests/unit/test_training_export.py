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
from torchvision.models import ResNet

from inference import artifact
from inference.classifier import Classifier
from inference.photo.preprocessing import Pixels, Preprocessing
from inference.runtime import Network
from tests.distributed.dogs import small_resnet, write_photos
from training.data.dataset import DataSet, Photo, scan
from training.evaluation.calibration import softmax
from training.export.artifact import ExportError, annotate, claim, export, prove, source_hash
from training.export.onnx_graph import INPUT, run_all, to_onnx, with_temperature
from training.export.quantise import Verdict, judge, quantise

SMALL = Preprocessing.for_size(32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return scan(write_photos(tmp_path_factory.mktemp("photos")))


@pytest.fixture(scope="module")
def model() -> ResNet:
    torch.manual_seed(5)
    return small_resnet(num_classes=3)


@pytest.fixture(scope="module")
def network(model: ResNet) -> bytes:
    return to_onnx(model, 32)


@pytest.fixture(scope="module")
def exported(data: DataSet, model: ResNet, network: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(
            "training.export.artifact.to_onnx", lambda *_: network
        )  # it takes seconds, and would be the same
        export(model, folder, data=data, preprocessing=SMALL, precision="fp32", training={"source": source_hash()})
    return folder


def accuracy(folder: Path, data: DataSet) -> float:
    classifier = Classifier(folder)
    photos = data.used("test")
    right = [classifier.predict(p.path.read_bytes())[0].breed == data.labels[p.label] for p in photos]
    return sum(right) / len(right)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_onnx_network_answers_as_the_torch_network(exported: Path, model: ResNet, count: int) -> None:
    batch = np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)
    ours = Network((exported / artifact.MODEL).read_bytes(), threads=2).logits(batch)
    temperature = json.loads((exported / artifact.MANIFEST).read_text())["training"]["temperature"]
    with torch.inference_mode():
        theirs = model(torch.from_numpy(batch)).numpy() / temperature
    assert np.abs(ours - theirs).max() < 1e-4


def test_the_manifest_vouches_for_every_file(exported: Path) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    files = {path.name for path in exported.iterdir()} - {artifact.MANIFEST}
    assert files == {"model.onnx", "labels.json", "model.safetensors"} == manifest["files"].keys()
    assert all(artifact.sha256((exported / name).read_bytes()) == digest for name, digest in manifest["files"].items())
    assert manifest["precision"] == "fp32"
    assert manifest["training"]["source"] == source_hash()
    assert manifest["training"]["quantisation"] is None


def test_a_sound_artifact_is_proven(exported: Path, data: DataSet) -> None:
    scored = accuracy(exported, data)
    assert prove(exported, data.used("test"), labels=data.labels, accuracy=scored).accuracy == scored


@pytest.mark.parametrize("content", [None, b"no photo"])
def test_a_photo_that_serving_cannot_read_is_named(
    exported: Path, data: DataSet, tmp_path: Path, content: bytes | None
) -> None:
    gone = Photo(tmp_path / "gone.jpg", 0)
    if content is not None:
        gone.path.write_bytes(content)
    with pytest.raises(ExportError, match=r"gone\.jpg could be read before"):
        prove(exported, [*data.used("test"), gone], labels=data.labels, accuracy=1.0)


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


def judged(photos: list[Pixels], labels: list[int], *, shift: float) -> Verdict:
    """A network of mean colours in fp32, against itself with something added to red."""
    fp32, int8 = run_all([mean_colour(), mean_colour(shift=shift)], photos)
    return judge(fp32, int8, np.asarray(labels), calibration_photos=7)


def labels_of(photos: list[Pixels]) -> list[int]:
    return [int(photo.mean(axis=(1, 2)).argmax()) for photo in photos]


def test_a_network_that_answers_the_same_passes_the_gate() -> None:
    photos = any_pixels(40)
    verdict = judged(photos, labels_of(photos), shift=1e-6)
    assert verdict.keep_int8
    assert (verdict.fp32_accuracy, verdict.int8_accuracy, verdict.agreement) == (1.0, 1.0, 1.0)
    assert (verdict.photos, verdict.calibration_photos) == (40, 7)


def test_a_network_that_loses_accuracy_does_not() -> None:
    photos = any_pixels(40)
    verdict = judged(photos, labels_of(photos), shift=9.0)
    assert not verdict.keep_int8
    assert "accuracy would fall" in verdict.reason


def test_a_network_that_errs_elsewhere_does_not() -> None:
    photos = any_pixels(40)
    verdict = judged(photos, [0] * 40, shift=9.0)  # it is right more often, by luck
    assert verdict.int8_accuracy > verdict.fp32_accuracy
    assert not verdict.keep_int8
    assert "agree" in verdict.reason


def answers_that_lose(lost: int, *, changed: int, count: int = 200) -> Verdict:
    """The first breed is always right in fp32; int8 errs on `lost` photos, and where both err answers otherwise."""
    targets = np.zeros(count, dtype=np.int64)
    targets[: changed - lost] = 2
    first, second = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
    second[:changed] = 1
    one_hot = np.eye(3, dtype=np.float32)
    return judge(one_hot[first], one_hot[second], targets, calibration_photos=100)


@pytest.mark.parametrize(
    ("lost", "changed", "count", "kept"),
    [
        (1, 1, 200, True),  # half a point exactly, which as floating-point shares is a little more
        (2, 2, 200, False),
        (4, 4, 835, True),  # the course's valid/
        (5, 5, 835, False),
        (0, 4, 200, True),  # 98 % exactly
        (0, 5, 200, False),
        (0, 1, 50, True),
        (1, 1, 40, False),
    ],
)
def test_the_gate_lets_through_half_a_point_and_two_answers_in_a_hundred(
    lost: int, changed: int, count: int, kept: bool
) -> None:
    assert answers_that_lose(lost, changed=changed, count=count).keep_int8 is kept


@pytest.mark.parametrize("agrees", [True, False])
def test_the_manifest_says_which_precision_and_why(
    data: DataSet,
    model: ResNet,
    network: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    agrees: bool,
) -> None:
    """int8 is kept exactly where the gate says so, whatever it is: here its bars are moved."""
    monkeypatch.setattr("training.export.artifact.to_onnx", lambda *_: network)
    monkeypatch.setattr("training.export.quantise.MAX_ACCURACY_DROP", 1.0)
    monkeypatch.setattr("training.export.quantise.MIN_AGREEMENT", 0.0 if agrees else 1.01)
    manifest = export(model, tmp_path, data=data, preprocessing=SMALL, precision="auto", training={}).manifest
    why = manifest.training["quantisation"]
    kept = onnx.load_from_string((tmp_path / "model.onnx").read_bytes())

    assert manifest.precision == ("int8" if agrees else "fp32")
    assert why["keep_int8"] is agrees
    assert ("within the gate" in why["reason"]) is agrees
    assert manifest.training["precision_reason"] == why["reason"]
    assert any(node.op_type == "QuantizeLinear" for node in kept.graph.node) is agrees
    assert len(Classifier(tmp_path).labels) == 3


def test_the_manifest_says_that_fp32_was_asked_for(exported: Path) -> None:
    manifest = artifact.load(exported).manifest
    assert (manifest.precision, manifest.training["quantisation"]) == ("fp32", None)
    assert manifest.training["precision_reason"] == "fp32 was asked for"


def test_quantising_leaves_the_root_logger_as_it_was(exported: Path) -> None:
    before = logging.getLogger().level
    rng = np.random.default_rng(0)
    quantise((exported / "model.onnx").read_bytes(), [rng.normal(size=(3, 32, 32)).astype(np.float32)] * 2)
    assert logging.getLogger().level == before


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_a_temperature_divides_the_logits_and_changes_no_order(
    network: bytes, quantised: bool, temperature: float
) -> None:
    rng = np.random.default_rng(0)
    photos = [rng.normal(size=(3, 32, 32)).astype(np.float32) for _ in range(12)]
    model = quantise(network, photos[:2]) if quantised else network
    before, after = run_all([model, with_temperature(model, temperature)], photos)

    # the runtime folds the division into the last weights, which rounds otherwise
    assert np.allclose(after, before / temperature, rtol=1e-4, atol=1e-5)
    assert (np.argsort(after, axis=1) == np.argsort(before, axis=1)).all()


def test_what_is_served_has_the_temperature_that_the_manifest_names(
    exported: Path, network: bytes, data: DataSet
) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    photo = data.used("test")[0].path.read_bytes()
    (logits,) = run_all([network], [SMALL(photo)])
    expected = softmax(logits / manifest["training"]["temperature"])[0]
    classifier = Classifier(exported)
    served = {answer.breed: answer.probability for answer in classifier.predict(photo)}

    assert [served[label] for label in classifier.labels] == pytest.approx(expected, abs=1e-5)


def test_notes_in_the_manifest_leave_the_artifact_as_it_was(exported: Path, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = artifact.load(tmp_path)
    annotate(tmp_path, before.manifest, {"metrics": {"test_ece": 0.01}})
    after = artifact.load(tmp_path)

    assert after.manifest.id == before.manifest.id
    assert after.manifest.training == {**before.manifest.training, "metrics": {"test_ece": 0.01}}
