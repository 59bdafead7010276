"""The artifact predicts what the trained network did, or the run fails."""

import json
import logging
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from inference import artifact
from inference.classifier import Classifier
from inference.drift.reference import read_reference
from inference.photo.preprocessing import Preprocessing
from inference.processor import instruction_sets
from inference.runtime import Network
from tests.distributed.dogs import write_photos
from tests.distributed.small_network import SMALL as SMALL_BACKBONE
from tests.distributed.small_network import SmallNetwork
from training.data.dataset import DataSet, Photo, scan
from training.evaluation.calibration import fit_temperature, mean_loss, softmax
from training.evaluation.predictions import targets_of
from training.evaluation.reference import reference_photos
from training.export.artifact import (
    ExportError,
    add_reference,
    annotate,
    check_writable,
    export,
    source_hash,
    verify_artifact,
)
from training.export.onnx_graph import run_all, to_onnx, with_temperature
from training.export.quantise import quantise

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


@pytest.mark.parametrize("accepted", [True, False])
def test_the_manifest_says_which_precision_and_why(
    data: DataSet,
    model: nn.Module,
    network: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accepted: bool,
) -> None:
    """int8 is used exactly if `check_int8` accepts it; here its limits are changed to make it do so, or not."""
    monkeypatch.setattr("training.export.artifact.to_onnx", lambda *_: network)
    for limit in ("MAX_LOSS_INCREASE", "MAX_ACCURACY_DROP", "MAX_CONFIDENT_CHANGES"):
        monkeypatch.setattr(f"training.export.int8_gate.{limit}", 1.0)
    monkeypatch.setattr("training.export.int8_gate.MIN_PHOTOS", 1 if accepted else 10_000)
    manifest = export(model, tmp_path, data=data, preprocessing=SMALL, precision="auto", training={}).manifest
    why = manifest.training["quantisation"]
    kept = onnx.load_from_string((tmp_path / "model.onnx").read_bytes())

    assert manifest.precision == ("int8" if accepted else "fp32")
    assert why["keep_int8"] is accepted
    assert ("within the limits" in why["reason"]) is accepted
    assert why["saturating_layers"] == 0
    assert manifest.training["precision_reason"] == why["reason"]
    assert any(node.op_type == "QuantizeLinear" for node in kept.graph.node) is accepted
    assert len(Classifier(tmp_path).labels) == 3


def test_int8_that_could_saturate_elsewhere_is_not_served_whatever_this_processor_measures(
    data: DataSet, model: nn.Module, network: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.artifact.to_onnx", lambda *_: network)
    monkeypatch.setattr("training.export.artifact.quantise", partial(quantise, full_range=True))
    monkeypatch.setattr("training.export.int8_gate.MIN_PHOTOS", 1)
    manifest = export(model, tmp_path, data=data, preprocessing=SMALL, precision="auto", training={}).manifest

    assert manifest.precision == "fp32"
    assert manifest.training["quantisation"]["saturating_layers"] > 0
    assert "could saturate" in manifest.training["precision_reason"]


def test_the_manifest_has_the_instruction_sets_of_the_processor(exported: Path) -> None:
    found = artifact.read_manifest(exported).training["processor"]
    assert tuple(found) == instruction_sets()


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


def test_the_measures_of_the_test_photos_are_added_as_they_are_served(
    exported: Path, data: DataSet, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    before = artifact.read_manifest(folder)
    temperature = before.training["temperature"]
    test = verify_artifact(
        folder, data.used("test"), labels=data.labels, accuracy=accuracy(folder, data), temperature=temperature
    )
    after = add_reference(folder, before, reference_photos(test, SMALL))

    assert after.id == before.id
    found, classifier = read_reference(folder).photos, Classifier(folder)
    for row, photo in enumerate(data.used("test")):
        best = classifier.predict(photo.path.read_bytes())[0]
        assert found.confidence[row] == pytest.approx(best.probability, abs=1e-5)
        assert data.labels[found.breed[row]] == best.breed
        with Image.open(photo.path) as image:
            assert found.shorter_side[row] == min(image.size)
    assert found.brightness.min() > 0.02
    assert found.brightness.max() < 1


def test_notes_in_the_manifest_do_not_change_the_artifact(exported: Path, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = artifact.load(tmp_path)
    annotate(tmp_path, before.manifest, {"metrics": {"test_ece": 0.01}})
    after = artifact.load(tmp_path)

    assert after.manifest.id == before.manifest.id
    # exact: the numbers are written as JSON and read back, with all their bits
    assert after.manifest.training == {**before.manifest.training, "metrics": {"test_ece": 0.01}}
