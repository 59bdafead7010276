"""int8 weights and activations by static quantisation, which hold on every processor.

Weights have 7 bits (`reduce_range`), so that no sum saturates on a processor without VNNI: saturation.py has the
arithmetic. int8_gate.py decides whether the result is served.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from inference.photo.preprocessing import Pixels
from training.export.onnx_graph import INPUT

CALIBRATION_PHOTOS = 100
"""At least this many, and one per breed. If they are too few, `check_int8` refuses int8 (docs/decisions/0010)."""


def quantise(model: bytes, calibration: Iterable[Pixels], *, full_range: bool = False) -> bytes:
    """The ONNX model with int8 QDQ nodes, per-channel weights, ranges from `calibration` ((3, size, size) each).

    full_range: weights of 8 bits, -127..127, instead of 7 bits, -64..64. Their sums saturate on a processor without
    VNNI (training/export/saturation.py), so an artifact never has them; the benchmark and the tests compare with them.
    """
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
            reduce_range=not full_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


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
