"""From trained weights to the artifact that serving loads, and the proof that it answers as training did."""

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torchvision.models import ResNet

from inference import artifact
from inference.artifact import Manifest
from inference.classifier import Classifier
from inference.images import Pixels, Preprocessing
from training.config import Precision
from training.data import DataSet, Photo
from training.quantise import CALIBRATION_PHOTOS, INPUT, Verdict, judge, quantise

WEIGHTS = "model.safetensors"
"""The float32 weights, for further training. Serving does not read them."""


class ExportError(Exception):
    """An artifact that does not answer as the trained network did. The message is one sentence."""


def export(
    model: ResNet,
    folder: Path,
    *,
    data: DataSet,
    preprocessing: Preprocessing,
    precision: Precision,
    training: Mapping[str, Any],
) -> Manifest:
    """Write model.onnx, labels.json, model.safetensors and, last, the manifest that vouches for them, into `folder`.

    model.onnx is int8 where `precision` is "auto" and the gate of quantise.py passes on the photos of `valid`.
    """
    network, quantisation = _onnx(model, preprocessing.crop), None
    if precision == "auto":
        network, quantisation = _int8_where_it_holds(network, data, preprocessing)
    (folder / artifact.MANIFEST).unlink(missing_ok=True)  # never a new model under an old manifest
    files = {
        artifact.MODEL: network,
        artifact.LABELS: json.dumps(list(data.labels), ensure_ascii=False, indent=1).encode() + b"\n",
        WEIGHTS: save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}),
    }
    for name, content in files.items():
        _replace(folder / name, content)
    manifest = Manifest(
        precision="int8" if quantisation and quantisation.keep_int8 else "fp32",
        preprocessing=preprocessing,
        files={name: artifact.sha256(content) for name, content in files.items()},
        training={**training, "quantisation": asdict(quantisation) if quantisation else None},
    )
    manifest.write(folder)
    return manifest


def prove(folder: Path, photos: Sequence[Photo], *, labels: Sequence[str], accuracy: float) -> float:
    """Load the artifact through the very code that will serve it and return its accuracy on `photos`, read from disk.

    Raises ArtifactError where the artifact is not sound, and ExportError where it does not answer as the network did,
    which gave the breeds of `labels` an accuracy of `accuracy` on the same photos.
    """
    classifier = Classifier(folder)
    if classifier.labels != tuple(labels):
        raise ExportError(f"The artifact in {folder} has other breeds than it was trained on, or in another order.")
    right = 0
    for photo in photos:
        (best,) = classifier.predict(photo.path.read_bytes(), top_k=1)
        right += best.breed == labels[photo.label]
    served = right / len(photos)
    # int8 may cost a little, and a photo on the verge may fall either way: the standard deviation of a share of n
    # photos is at most 0.5 / sqrt(n), and two of them are allowed.
    if abs(served - accuracy) > 0.02 + 1 / math.sqrt(len(photos)):
        raise ExportError(f"The artifact scores {served:.3f} on test, but the network that it holds {accuracy:.3f}.")
    return served


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


def _int8_where_it_holds(fp32: bytes, data: DataSet, preprocessing: Preprocessing) -> tuple[bytes, Verdict]:
    def seen(photos: Sequence[Photo]) -> Iterator[Pixels]:
        return (preprocessing(photo.path.read_bytes()) for photo in photos)

    train, valid = data.used("train"), data.used("valid")
    taken = min(len(train), CALIBRATION_PHOTOS)
    int8 = quantise(fp32, seen([train[len(train) * i // taken] for i in range(taken)]))  # spread over all breeds
    verdict = judge(fp32, int8, seen(valid), [photo.label for photo in valid])
    return int8 if verdict.keep_int8 else fp32, verdict


def source_hash() -> str:
    """16 hex digits of the code that trains and serves: this package's and inference's Python files."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for path in sorted([*(root / "training").glob("*.py"), *(root / "inference").glob("*.py")]):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _onnx(model: ResNet, size: int) -> bytes:
    """The network in evaluation mode, with a free batch dimension, as one ONNX file in memory."""
    model = model.eval().float().cpu().to(memory_format=torch.contiguous_format)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of optimisers that are not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),  # two: torch.export would fix a batch dimension of one
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            input_names=[INPUT],
            output_names=["logits"],
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for mypy: None is returned only where a file is named
    content: bytes = program.model_proto.SerializeToString()
    return content


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".partial")
    temporary.write_bytes(content)
    temporary.replace(path)
