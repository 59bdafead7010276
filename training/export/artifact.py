"""Export: from trained weights to the artifact that serving loads, and the check that it predicts what training did."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save
from torch import nn

from contract.options import Precision
from inference import artifact
from inference.artifact import Manifest
from inference.classifier import Classifier
from inference.drift import reference
from inference.drift.reference import Photos
from inference.photo.errors import PhotoError
from inference.photo.preprocessing import Pixels, Preprocessing
from inference.processor import instruction_sets
from training.data.cores import cores
from training.data.dataset import DataSet, Photo
from training.data.reading import read_square
from training.evaluation.calibration import Logits, fit_temperature
from training.evaluation.predictions import Predictions, targets_of
from training.export.int8_gate import Int8Check, check_int8
from training.export.onnx_graph import run_all, to_onnx, with_temperature
from training.export.quantise import CALIBRATION_PHOTOS, quantise
from training.export.saturation import saturating_layers
from training.log import emit
from training.model.weights import metadata

WEIGHTS = "model.safetensors"
"""The float32 weights, for further training. Serving does not read this file."""

_IN_MEMORY = 32
"""Decoded photos in memory at the same time."""


class ExportError(Exception):
    """An artifact cannot be written, or does not predict what the trained network did. The message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """An artifact on disk, and the predictions of its model for `valid`."""

    manifest: Manifest
    valid: Predictions


def export(
    model: nn.Module,
    folder: Path,
    *,
    data: DataSet,
    preprocessing: Preprocessing,
    precision: Precision,
    training: Mapping[str, Any],
) -> Exported:
    """Write model.onnx, labels.json, model.safetensors and, last, the manifest with their checksums, into `folder`.

    model.onnx is int8 if `precision` is "auto" and `check_int8` accepts it on the photos of `valid`. The temperature is
    fitted to the predictions of the chosen model for `valid`, and is part of model.onnx.
    """
    network, logits, quantisation = _choose(to_onnx(model, preprocessing.crop), data, preprocessing, precision)
    photos = data.used("valid")
    temperature = fit_temperature(logits, targets_of(photos))
    (folder / artifact.MANIFEST).unlink(missing_ok=True)  # never a new model with an old manifest
    files = {
        artifact.MODEL: with_temperature(network, temperature),
        artifact.LABELS: json.dumps(list(data.labels), ensure_ascii=False, indent=1).encode() + b"\n",
        WEIGHTS: save(
            {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
            metadata=metadata(data.labels),
        ),
    }
    for name, content in files.items():
        _replace(folder / name, content)
    manifest = Manifest(
        precision="int8" if quantisation and quantisation.keep_int8 else "fp32",
        preprocessing=preprocessing,
        files={name: artifact.sha256(content) for name, content in files.items()},
        training={
            **training,
            "processor": list(instruction_sets()),
            "temperature": temperature,
            "quantisation": asdict(quantisation) if quantisation else None,
            "precision_reason": quantisation.reason if quantisation else "fp32 was requested",
        },
    )
    manifest.write(folder)
    return Exported(manifest=manifest, valid=Predictions(photos=photos, logits=logits, temperature=temperature))


def verify_artifact(
    folder: Path, photos: Sequence[Photo], *, labels: Sequence[str], accuracy: float, temperature: float
) -> Predictions:
    """Load the artifact with the code that will serve it, and return its predictions for `photos`, read from disk.

    labels, accuracy: what training had; the accuracy on the same photos.
    temperature: by which the model divides its logits.

    Raises ArtifactError if the artifact is invalid, and ExportError if its labels or its accuracy differ from those.
    """
    classifier = Classifier(folder)
    if classifier.labels != tuple(labels):
        raise ExportError(
            f"The artifact in {folder} has other breeds than the training data, or another order; train again."
        )
    place = {breed: index for index, breed in enumerate(labels)}
    served = np.zeros((len(photos), len(labels)), np.float32)
    for row, photo in zip(served, photos, strict=True):
        try:
            predicted = classifier.predict(photo.path.read_bytes(), top_k=len(labels))
        except (OSError, PhotoError) as error:
            raise ExportError(
                f"{photo.path} could be read before, and now it cannot ({error}); do not change photos during training."
            ) from error
        for prediction in predicted:
            row[place[prediction.breed]] = prediction.probability
    logits = (np.log(np.maximum(served, np.finfo(np.float32).tiny)) * temperature).astype(np.float32)
    predictions = Predictions(photos=photos, logits=logits, temperature=temperature)
    # int8 may cost some accuracy, and a borderline photo may be classified either way. The standard deviation of an
    # accuracy on n photos is at most 0.5 / sqrt(n); twice that is allowed.
    if abs(predictions.accuracy - accuracy) > 0.02 + 1 / math.sqrt(len(photos)):
        raise ExportError(
            f"The artifact has an accuracy of {predictions.accuracy:.3f} on test, but in training the network had "
            f"{accuracy:.3f}; the exported model is wrong, so it must not be served."
        )
    return predictions


def annotate(folder: Path, manifest: Manifest, notes: Mapping[str, Any]) -> Manifest:
    """Add notes to the manifest's section on training. The artifact and its id do not change."""
    annotated = replace(manifest, training={**manifest.training, **notes})
    annotated.write(folder)
    return annotated


def add_reference(folder: Path, manifest: Manifest, photos: Photos) -> Manifest:
    """Add the measures of the test photos, with which a check for drift compares. The artifact's id does not change."""
    content = photos.content()
    _replace(folder / reference.FILE, content)
    added = replace(manifest, files={**manifest.files, reference.FILE: artifact.sha256(content)})
    added.write(folder)
    return added


def check_writable(folder: Path) -> None:
    """Raise ExportError if the artifact cannot be written, before hours of training are spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / ".writable", b"")
        (folder / ".writable").unlink()
    except OSError as error:
        raise ExportError(
            f"The model folder {folder} cannot be written ({error.strerror}); name another (--model-dir)."
        ) from error


def _choose(
    fp32: bytes, data: DataSet, preprocessing: Preprocessing, precision: Precision
) -> tuple[bytes, Logits, Int8Check | None]:
    """The network to serve, its logits on `valid`, and why it was chosen."""
    started = time.monotonic()
    train, valid = data.used("train"), data.used("valid")
    if precision == "fp32":
        (logits,) = run_all([fp32], _inputs(data, valid, preprocessing))
        return fp32, logits, None
    count = min(len(train), max(CALIBRATION_PHOTOS, len(data.labels)))
    spread = [train[len(train) * i // count] for i in range(count)]  # of all breeds: photos are sorted by breed
    int8 = quantise(fp32, _inputs(data, spread, preprocessing))
    logits, int8_logits = run_all([fp32, int8], _inputs(data, valid, preprocessing))
    check = check_int8(
        logits, int8_logits, targets_of(valid), saturating=saturating_layers(int8), calibration_photos=count
    )
    emit(stage="int8", **asdict(check), elapsed_s=time.monotonic() - started)
    return (int8, int8_logits, check) if check.keep_int8 else (fp32, logits, check)


def _inputs(data: DataSet, photos: Sequence[Photo], preprocessing: Preprocessing) -> Iterator[Pixels]:
    """The network's input for each photo, preprocessed as in serving, on all cores."""
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(photos), _IN_MEMORY):
            part = photos[start : start + _IN_MEMORY]
            squares = pool.map(lambda photo: read_square(data, photo, preprocessing), part)
            for photo, square in zip(part, squares, strict=True):
                if square is None:
                    name = data.name(photo)
                    raise ExportError(
                        f"{name} could be read before, and now it cannot; do not change the photos during training."
                    )
                yield preprocessing.normalise(Image.fromarray(square))


def source_hash() -> str:
    """16 hex digits of the code that trains and serves: the Python files of contract, training and inference."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for path in sorted(
        path for folder in ("contract", "training", "inference") for path in (root / folder).rglob("*.py")
    ):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".partial")
    temporary.write_bytes(content)
    temporary.replace(path)
