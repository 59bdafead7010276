"""The artifact predicts what the trained network did, or the run fails."""

import io
import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from inference import artifact
from inference.classifier import Classifier
from inference.photo.preprocessing import Pixels, Preprocessing
from inference.runtime import Network
from tests.distributed.dogs import write_photos
from tests.distributed.small_network import SMALL as SMALL_BACKBONE
from tests.distributed.small_network import SmallNetwork
from training.data.dataset import DataSet, Photo, scan
from training.evaluation.calibration import fit_temperature, mean_loss, softmax
from training.evaluation.predictions import targets_of
from training.export.artifact import ExportError, annotate, check_writable, export, source_hash, verify_artifact
from training.export.onnx_graph import INPUT, run_all, to_onnx, with_temperature
from training.export.quantise import Int8Check, check_int8, quantise

SMALL = Preprocessing.for_size(32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return scan(write_photos(tmp_path_factory.mktemp("photos")))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """Random weights, with a head that makes it overconfident, so that its temperature is far from 1."""
    torch.manual_seed(5)
    model = SmallNetwork(3).eval()
    with torch.no_grad():
        for parameter in SMALL_BACKBONE.head_of(model).parameters():
            parameter.mul_(4)
    return model


@pytest.fixture(scope="module")
def network(model: nn.Module) -> bytes:
    return to_onnx(model, 32)


@pytest.fixture(scope="module")
def exported(data: DataSet, model: nn.Module, network: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(
            "training.export.artifact.to_onnx", lambda *_: network
        )  # exporting takes seconds, and the result is the same
        export(model, folder, data=data, preprocessing=SMALL, precision="fp32", training={"source": source_hash()})
    return folder


def accuracy(folder: Path, data: DataSet) -> float:
    classifier = Classifier(folder)
    photos = data.used("test")
    correct = [classifier.predict(p.path.read_bytes())[0].breed == data.labels[p.label] for p in photos]
    return sum(correct) / len(correct)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_onnx_network_gives_the_logits_of_the_torch_network(exported: Path, model: nn.Module, count: int) -> None:
    batch = np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)
    found = Network((exported / artifact.MODEL).read_bytes(), threads=2).logits(batch)
    temperature = json.loads((exported / artifact.MANIFEST).read_text())["training"]["temperature"]
    with torch.inference_mode():
        expected = model(torch.from_numpy(batch)).numpy() / temperature
    assert np.abs(found - expected).max() < 1e-4


def test_the_manifest_has_the_checksum_of_every_file(exported: Path) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    files = {path.name for path in exported.iterdir()} - {artifact.MANIFEST}
    assert files == {"model.onnx", "labels.json", "model.safetensors"} == manifest["files"].keys()
    assert all(artifact.sha256((exported / name).read_bytes()) == digest for name, digest in manifest["files"].items())
    assert manifest["precision"] == "fp32"
    assert manifest["training"]["source"] == source_hash()
    assert manifest["training"]["quantisation"] is None


def verify(folder: Path, data: DataSet, *, accuracy: float) -> float:
    temperature = artifact.read_manifest(folder).training["temperature"]
    photos = data.used("test")
    found = verify_artifact(folder, photos, labels=data.labels, accuracy=accuracy, temperature=temperature)
    return found.accuracy


def test_a_valid_artifact_is_verified(exported: Path, data: DataSet) -> None:
    expected = accuracy(exported, data)
    assert verify(exported, data, accuracy=expected) == expected  # exact: the same share of the same predictions


@pytest.mark.parametrize("content", [None, b"no photo"])
def test_a_photo_that_serving_cannot_read_is_an_error_that_names_it(
    exported: Path, data: DataSet, tmp_path: Path, content: bytes | None
) -> None:
    gone = Photo(tmp_path / "gone.jpg", 0)
    if content is not None:
        gone.path.write_bytes(content)
    with pytest.raises(ExportError, match=r"gone\.jpg could be read before"):
        verify_artifact(exported, [*data.used("test"), gone], labels=data.labels, accuracy=1.0, temperature=1.0)


def test_permuted_labels_are_found_although_the_checksums_match(exported: Path, data: DataSet, tmp_path: Path) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    labels = json.dumps([data.labels[i] for i in (1, 0, 2)]).encode()
    manifest["files"]["labels.json"] = artifact.sha256(labels)
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    (tmp_path / "labels.json").write_bytes(labels)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    Classifier(tmp_path)  # serving would load it
    with pytest.raises(ExportError, match="or another order"):
        verify(tmp_path, data, accuracy=accuracy(exported, data))


def test_an_accuracy_that_differs_from_the_trained_network_is_an_error(exported: Path, data: DataSet) -> None:
    served = accuracy(exported, data)
    with pytest.raises(ExportError, match="must not be served"):
        verify(exported, data, accuracy=served + (0.5 if served < 0.5 else -0.5))


def test_a_changed_file_is_found(exported: Path, data: DataSet, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.onnx").write_bytes((tmp_path / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(artifact.ArtifactError, match="SHA-256"):
        verify(tmp_path, data, accuracy=1.0)


def test_a_model_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="--model-dir"):
        check_writable(tmp_path / "file")
    check_writable(tmp_path / "new" / "model")
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


def check(photos: list[Pixels], labels: list[int], *, shift: float) -> Int8Check:
    """Compare the network of mean colours with one that adds `shift` to red."""
    fp32, int8 = run_all([mean_colour(), mean_colour(shift=shift)], photos)
    return check_int8(fp32, int8, np.asarray(labels), calibration_photos=7)


def labels_of(photos: list[Pixels]) -> list[int]:
    return [int(photo.mean(axis=(1, 2)).argmax()) for photo in photos]


def test_an_int8_network_with_the_same_predictions_is_accepted() -> None:
    photos = any_pixels(40)
    found = check(photos, labels_of(photos), shift=1e-6)
    assert found.keep_int8
    # exact: each is a share of 40 out of 40 photos
    assert (found.fp32_accuracy, found.int8_accuracy, found.agreement) == (1.0, 1.0, 1.0)
    assert (found.photos, found.calibration_photos) == (40, 7)


def test_an_int8_network_that_loses_accuracy_is_rejected() -> None:
    photos = any_pixels(40)
    found = check(photos, labels_of(photos), shift=9.0)
    assert not found.keep_int8
    assert "accuracy would fall" in found.reason


def test_an_int8_network_with_other_predictions_is_rejected() -> None:
    photos = any_pixels(40)
    found = check(photos, [0] * 40, shift=9.0)  # it is correct more often, by chance
    assert found.int8_accuracy > found.fp32_accuracy
    assert not found.keep_int8
    assert "agree" in found.reason


def losing(lost: int, *, changed: int, count: int = 200) -> Int8Check:
    """int8 changes `changed` predictions: on `lost` photos from correct to wrong, on the others from wrong to wrong."""
    targets = np.zeros(count, dtype=np.int64)
    targets[: changed - lost] = 2
    first, second = np.zeros(count, dtype=int), np.zeros(count, dtype=int)
    second[:changed] = 1
    one_hot = np.eye(3, dtype=np.float32)
    return check_int8(one_hot[first], one_hot[second], targets, calibration_photos=100)


@pytest.mark.parametrize(
    ("lost", "changed", "count", "kept"),
    [
        (1, 1, 200, True),  # exactly half a point, slightly more as a floating-point share
        (2, 2, 200, False),
        (4, 4, 835, True),  # the size of valid/ in the course's data
        (5, 5, 835, False),
        (0, 4, 200, True),  # exactly 98 %
        (0, 5, 200, False),
        (0, 1, 50, True),
        (1, 1, 40, False),
    ],
)
def test_int8_may_lose_half_a_point_of_accuracy_and_change_two_predictions_in_a_hundred(
    lost: int, changed: int, count: int, kept: bool
) -> None:
    assert losing(lost, changed=changed, count=count).keep_int8 is kept


@pytest.mark.parametrize("agrees", [True, False])
def test_the_manifest_says_which_precision_and_why(
    data: DataSet,
    model: nn.Module,
    network: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    agrees: bool,
) -> None:
    """int8 is used exactly if `check_int8` accepts it; here its limits are changed to make it do so, or not."""
    monkeypatch.setattr("training.export.artifact.to_onnx", lambda *_: network)
    monkeypatch.setattr("training.export.quantise.MAX_ACCURACY_DROP", 1.0)
    monkeypatch.setattr("training.export.quantise.MIN_AGREEMENT", 0.0 if agrees else 1.01)
    manifest = export(model, tmp_path, data=data, preprocessing=SMALL, precision="auto", training={}).manifest
    why = manifest.training["quantisation"]
    kept = onnx.load_from_string((tmp_path / "model.onnx").read_bytes())

    assert manifest.precision == ("int8" if agrees else "fp32")
    assert why["keep_int8"] is agrees
    assert ("within the limits" in why["reason"]) is agrees
    assert manifest.training["precision_reason"] == why["reason"]
    assert any(node.op_type == "QuantizeLinear" for node in kept.graph.node) is agrees
    assert len(Classifier(tmp_path).labels) == 3


def test_the_manifest_says_that_fp32_was_requested(exported: Path) -> None:
    manifest = artifact.load(exported).manifest
    assert (manifest.precision, manifest.training["quantisation"]) == ("fp32", None)
    assert manifest.training["precision_reason"] == "fp32 was requested"


def test_quantising_restores_the_level_of_the_root_logger(exported: Path) -> None:
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

    # The runtime folds the division into the last weights, which are then rounded differently. Logits that are closer
    # together than this rounding may change places.
    assert np.allclose(after, before / temperature, rtol=1e-4, atol=1e-5)
    assert np.diff(np.take_along_axis(after, np.argsort(before, axis=1), axis=1)).min() > -1e-5


def test_served_probabilities_have_the_temperature_in_the_manifest(
    exported: Path, network: bytes, data: DataSet
) -> None:
    manifest = json.loads((exported / artifact.MANIFEST).read_text())
    photo = data.used("test")[0].path.read_bytes()
    (logits,) = run_all([network], [SMALL(photo)])
    expected = softmax(logits / manifest["training"]["temperature"])[0]
    classifier = Classifier(exported)
    served = {each.breed: each.probability for each in classifier.predict(photo)}

    assert [served[label] for label in classifier.labels] == pytest.approx(expected, abs=1e-5)


def test_the_temperature_is_fitted_on_valid_and_lowers_the_served_loss(
    exported: Path, network: bytes, data: DataSet
) -> None:
    """Without it, or with a constant, an overconfident network would serve probabilities that are too high."""
    valid = data.used("valid")
    (logits,) = run_all([network], [SMALL(photo.path.read_bytes()) for photo in valid])
    targets = targets_of(valid)
    temperature = artifact.read_manifest(exported).training["temperature"]
    classifier = Classifier(exported)
    served = np.zeros(logits.shape)
    for row, photo in zip(served, valid, strict=True):
        for each in classifier.predict(photo.path.read_bytes(), top_k=len(data.labels)):
            row[data.labels.index(each.breed)] = each.probability

    # the same function on logits of the same network, computed twice by the same runtime
    assert temperature == pytest.approx(fit_temperature(logits, targets), rel=1e-3)
    assert temperature > 1.5
    assert mean_loss(served, targets) < mean_loss(softmax(logits), targets) - 0.1


def test_verification_returns_the_logits_before_the_temperature(exported: Path, network: bytes, data: DataSet) -> None:
    """The report compares the calibration before and after the temperature."""
    photos = data.used("test")
    (logits,) = run_all([network], [SMALL(photo.path.read_bytes()) for photo in photos])
    temperature = artifact.read_manifest(exported).training["temperature"]
    expected = accuracy(exported, data)
    found = verify_artifact(exported, photos, labels=data.labels, accuracy=expected, temperature=temperature)

    assert found.temperature == temperature  # exact: it is passed through, not computed
    # logarithms of served probabilities: equal up to a constant per row, and to float32 and its smallest number
    assert np.allclose(softmax(found.logits), softmax(logits), atol=1e-4)


def test_notes_in_the_manifest_do_not_change_the_artifact(exported: Path, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = artifact.load(tmp_path)
    annotate(tmp_path, before.manifest, {"metrics": {"test_ece": 0.01}})
    after = artifact.load(tmp_path)

    assert after.manifest.id == before.manifest.id
    # exact: the numbers are written as JSON and read back, with all their bits
    assert after.manifest.training == {**before.manifest.training, "metrics": {"test_ece": 0.01}}
