"""From trained weights to the artifact that serving loads, and the proof that it answers as training did."""

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torchvision.models import ResNet

from inference import artifact
from inference.artifact import Manifest
from inference.classifier import Classifier
from inference.errors import RequestError
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
    folder.mkdir(parents=True, exist_ok=True)
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


def prove(folder: Path, photos: Sequence[Photo]) -> float:
    """Load the artifact through the very code that will serve it and return its accuracy on `photos`, read from disk.

    Photos that cannot be decoded are left out, as in training. Raises ArtifactError where the artifact is not sound.
    """
    classifier = Classifier(folder)
    right = counted = 0
    for photo in photos:
        try:
            (best,) = classifier.predict(photo.path.read_bytes(), top_k=1)
        except RequestError:
            continue
        counted += 1
        right += best.breed == classifier.labels[photo.label]
    if not counted:
        raise ExportError(
            "Not one test photo could be decoded, so the artifact cannot be proven; check the test folder."
        )
    return right / counted


def _int8_where_it_holds(fp32: bytes, data: DataSet, preprocessing: Preprocessing) -> tuple[bytes, Verdict]:
    def seen(photos: Sequence[Photo]) -> list[Pixels]:
        return [preprocessing(photo.path.read_bytes()) for photo in photos]

    train, valid = data.used("train"), data.used("valid")
    spread = train[:: max(1, len(train) // CALIBRATION_PHOTOS)][:CALIBRATION_PHOTOS]  # over all breeds
    int8 = quantise(fp32, seen(spread))
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
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
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
