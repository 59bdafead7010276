"""From trained weights to the artifact that serving loads, and the proof that it answers as training did."""

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
from torchvision.models import ResNet

from contract.options import Precision
from inference import artifact
from inference.artifact import Manifest
from inference.classifier import Classifier
from inference.photo.errors import PhotoError
from inference.photo.preprocessing import Pixels, Preprocessing
from training.data.dataset import DataSet, Photo, cores, read_square
from training.evaluation.calibration import Logits, fit_temperature
from training.evaluation.predictions import Answers, targets_of
from training.export.onnx_graph import run_all, to_onnx, with_temperature
from training.export.quantise import CALIBRATION_PHOTOS, Verdict, judge, quantise
from training.log import emit
from training.model.weights import metadata

WEIGHTS = "model.safetensors"
"""The float32 weights, for further training. Serving does not read them."""

_CHUNK = 32
"""Photos in memory at a time."""


class ExportError(Exception):
    """An artifact that does not answer as the trained network did. The message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """An artifact on disk, and what its model said of the photos of `valid`."""

    manifest: Manifest
    valid: Answers


def export(
    model: ResNet,
    folder: Path,
    *,
    data: DataSet,
    preprocessing: Preprocessing,
    precision: Precision,
    training: Mapping[str, Any],
) -> Exported:
    """Write model.onnx, labels.json, model.safetensors and, last, the manifest that vouches for them, into `folder`.

    model.onnx is int8 where `precision` is "auto" and the gate of quantise.py passes on the photos of `valid`. The
    temperature is fitted to what the model that is kept says of them, and is part of model.onnx.
    """
    network, logits, quantisation = _kept(to_onnx(model, preprocessing.crop), data, preprocessing, precision)
    photos = data.used("valid")
    temperature = fit_temperature(logits, targets_of(photos))
    (folder / artifact.MANIFEST).unlink(missing_ok=True)  # never a new model under an old manifest
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
            "temperature": temperature,
            "quantisation": asdict(quantisation) if quantisation else None,
            "precision_reason": quantisation.reason if quantisation else "fp32 was asked for",
        },
    )
    manifest.write(folder)
    return Exported(manifest=manifest, valid=Answers(photos=photos, logits=logits, temperature=temperature))


def prove(
    folder: Path, photos: Sequence[Photo], *, labels: Sequence[str], accuracy: float, temperature: float = 1.0
) -> Answers:
    """Load the artifact through the very code that will serve it and return what it says of `photos`, read from disk.

    Raises ArtifactError where the artifact is not sound, and ExportError where it does not answer as the network did,
    which gave the breeds of `labels` an accuracy of `accuracy` on the same photos.
    """
    classifier = Classifier(folder)
    if classifier.labels != tuple(labels):
        raise ExportError(f"The artifact in {folder} has other breeds than it was trained on, or in another order.")
    place = {breed: index for index, breed in enumerate(labels)}
    served = np.zeros((len(photos), len(labels)), np.float32)
    for row, photo in zip(served, photos, strict=True):
        try:
            answered = classifier.predict(photo.path.read_bytes(), top_k=len(labels))
        except (OSError, PhotoError) as error:
            raise ExportError(
                f"{photo.path} could be read before, and now cannot ({error}); leave the photos alone."
            ) from error
        for answer in answered:
            row[place[answer.breed]] = answer.probability
    logits = (np.log(np.maximum(served, np.finfo(np.float32).tiny)) * temperature).astype(np.float32)
    answers = Answers(photos=photos, logits=logits, temperature=temperature)
    # int8 may cost a little, and a photo on the verge may fall either way: the standard deviation of a share of n
    # photos is at most 0.5 / sqrt(n), and two of them are allowed.
    if abs(answers.accuracy - accuracy) > 0.02 + 1 / math.sqrt(len(photos)):
        raise ExportError(
            f"The artifact scores {answers.accuracy:.3f} on test, but the network that it holds {accuracy:.3f}."
        )
    return answers


def annotate(folder: Path, manifest: Manifest, notes: Mapping[str, Any]) -> Manifest:
    """Add to what the manifest says of the training. The artifact and its id stay as they are."""
    annotated = replace(manifest, training={**manifest.training, **notes})
    annotated.write(folder)
    return annotated


def claim(folder: Path) -> None:
    """Make sure, before hours are spent, that the artifact can be written. Raises ExportError where it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / ".writable", b"")
        (folder / ".writable").unlink()
    except OSError as error:
        raise ExportError(
            f"The model folder {folder} cannot be written ({error.strerror}); name another (--model-dir)."
        ) from error


def _kept(
    fp32: bytes, data: DataSet, preprocessing: Preprocessing, precision: Precision
) -> tuple[bytes, Logits, Verdict | None]:
    """The network to serve, what it says of `valid`, and why it is the one."""
    started = time.monotonic()
    train, valid = data.used("train"), data.used("valid")
    if precision == "fp32":
        (logits,) = run_all([fp32], _seen(data, valid, preprocessing))
        return fp32, logits, None
    taken = min(len(train), max(CALIBRATION_PHOTOS, len(data.labels)))
    spread = [train[len(train) * i // taken] for i in range(taken)]  # over all breeds: they are sorted by breed
    int8 = quantise(fp32, _seen(data, spread, preprocessing))
    logits, int8_logits = run_all([fp32, int8], _seen(data, valid, preprocessing))
    verdict = judge(logits, int8_logits, targets_of(valid), calibration_photos=taken)
    emit(stage="int8", **asdict(verdict), elapsed_s=time.monotonic() - started)
    return (int8, int8_logits, verdict) if verdict.keep_int8 else (fp32, logits, verdict)


def _seen(data: DataSet, photos: Sequence[Photo], preprocessing: Preprocessing) -> Iterator[Pixels]:
    """The network's input for each photo, as serving makes it, decoded some at a time on all cores."""
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(photos), _CHUNK):
            chunk = photos[start : start + _CHUNK]
            squares = pool.map(lambda photo: read_square(data, photo, preprocessing), chunk)
            for photo, square in zip(chunk, squares, strict=True):
                if square is None:
                    name = data.name(photo)
                    raise ExportError(f"{name} could be read before, and now cannot; leave the photos alone.")
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
