"""int8 weights and activations by static quantisation, used only if the predictions stay the same."""

import logging
import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference.photo.preprocessing import Pixels
from training.evaluation.calibration import Logits, Targets
from training.export.onnx_graph import INPUT

CALIBRATION_PHOTOS = 100
"""At least this many, and one per breed. If they are too few, `check_int8` fails (docs/decisions/0010)."""

MAX_ACCURACY_DROP = 0.005
"""Largest loss of top-1 accuracy, 0..1."""
MIN_AGREEMENT = 0.98
"""Smallest share of the photos for which both models must predict the same breed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Check:
    """Whether the int8 model may replace the fp32 model, and the numbers that decided."""

    keep_int8: bool
    photos: int
    """Photos of `valid` that both models were compared on."""
    calibration_photos: int
    """Photos of `train` that the int8 ranges were computed from."""
    fp32_accuracy: float
    int8_accuracy: float
    agreement: float
    """Share of the photos for which both predict the same breed."""
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


def check_int8(fp32: Logits, int8: Logits, targets: Targets, *, calibration_photos: int) -> Int8Check:
    """Compare the logits of both models for the same photos, which neither was trained or calibrated on."""
    count = len(targets)
    first, second = fp32.argmax(axis=1), int8.argmax(axis=1)
    correct, int8_correct, agreeing = (
        int(same.sum()) for same in (first == targets, second == targets, first == second)
    )
    # Compare counts of photos: as a floating-point share, one photo of 200 is slightly more than 0.005.
    lost, allowed = correct - int8_correct, math.floor(MAX_ACCURACY_DROP * count + 1e-9)
    needed = math.ceil(MIN_AGREEMENT * count - 1e-9)
    if lost > allowed:
        keep, reason = False, f"accuracy would fall by {lost / count:.4f}, over {MAX_ACCURACY_DROP}"
    elif agreeing < needed:
        keep, reason = False, f"the models agree on {agreeing / count:.4f} of the photos, under {MIN_AGREEMENT}"
    else:
        keep, reason = True, "accuracy and agreement are within the limits"
    return Int8Check(
        keep_int8=keep,
        photos=count,
        calibration_photos=calibration_photos,
        fp32_accuracy=correct / count,
        int8_accuracy=int8_correct / count,
        agreement=agreeing / count,
        reason=reason,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence onnxruntime's quantiser, which logs warnings on the root logger about choices made on purpose here."""
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
