"""int8 weights and activations by static quantisation, kept only where the answers stay the same."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference.classifier import usable_cores
from inference.images import Pixels
from inference.runtime import Network

INPUT = "photos"
"""Name of the exported network's input."""

CALIBRATION_PHOTOS = 100
"""Spread over all breeds; the gate tells where they are too few. See docs/decisions/0010-int8-by-a-gate.md."""

MAX_ACCURACY_DROP = 0.005
MIN_AGREEMENT = 0.98


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the int8 model may replace the fp32 one, and the figures that decided."""

    keep_int8: bool
    photos: int
    """That both models judged."""
    fp32_accuracy: float
    int8_accuracy: float
    agreement: float
    """Share of the photos to which both give the same first breed."""
    reason: str


def quantise(model: bytes, calibration: Iterable[Pixels]) -> bytes:
    """The ONNX model with int8 QDQ nodes, per-channel weights, ranges from `calibration` ((3, size, size) each)."""
    with _quiet(), tempfile.TemporaryDirectory() as scratch:
        source, fused, target = (Path(scratch) / name for name in ("fp32.onnx", "fused.onnx", "int8.onnx"))
        source.write_bytes(model)
        quant_pre_process(source, fused, skip_symbolic_shape=True)  # folds the norm layers into the convolutions
        quantize_static(
            fused,
            target,
            _Calibration(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def judge(fp32: bytes, int8: bytes, photos: Iterable[Pixels], labels: Sequence[int]) -> Verdict:
    """Compare the two models on photos that neither was made from. Each photo is asked for once, and not kept."""
    models = [Network(model, threads=usable_cores()) for model in (fp32, int8)]
    answers = [[model.logits(photo[np.newaxis]).argmax() for model in models] for photo in photos]
    first, second = np.asarray(answers).T
    truth = np.asarray(labels)
    accuracy, int8_accuracy = float((first == truth).mean()), float((second == truth).mean())
    agreement = float((first == second).mean())
    if accuracy - int8_accuracy > MAX_ACCURACY_DROP:
        keep, reason = False, f"accuracy would fall by {accuracy - int8_accuracy:.4f}, over {MAX_ACCURACY_DROP}"
    elif agreement < MIN_AGREEMENT:
        keep, reason = False, f"the two agree on {agreement:.4f} of the photos, under {MIN_AGREEMENT}"
    else:
        keep, reason = True, "accuracy and agreement are within the gate"
    return Verdict(
        keep_int8=keep,
        photos=len(truth),
        fp32_accuracy=accuracy,
        int8_accuracy=int8_accuracy,
        agreement=agreement,
        reason=reason,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantiser warns on the root logger of what is done on purpose here."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime ships no types
    def __init__(self, photos: Iterable[Pixels]) -> None:
        self._batches: Iterator[dict[str, Pixels]] = ({INPUT: photo[np.newaxis]} for photo in photos)

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._batches, None)
