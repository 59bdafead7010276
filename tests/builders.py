"""Photos and artifacts for tests. They are real, built in milliseconds, and have a known correct prediction."""

import colorsys
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save_file

from inference import artifact
from inference.artifact import Manifest
from inference.photo.preprocessing import Preprocessing
from ops.weights import resnet50

LABELS = ("Beagle", "Boxer", "Collie")

Colour = tuple[int, int, int]


def colour_of(index: int, classes: int = len(LABELS)) -> Colour:
    """The colour that the network of `write_artifact` classifies as `index`: equally spaced hues, red first."""
    red, green, blue = colorsys.hsv_to_rgb(index / classes, 1, 1)
    return round(red * 255), round(green * 255), round(blue * 255)


def any_photo(
    colour: Colour = (200, 40, 40),
    *,
    size: tuple[int, int] = (60, 40),
    format: str = "JPEG",
    detail_seed: int | None = None,
    **save: Any,
) -> bytes:
    """A photo of one colour, or with `detail_seed` one with smooth detail. `save` is passed to Pillow's encoder."""
    image = Image.new("RGB", size, colour)
    if detail_seed is not None:
        image = detailed(size, detail_seed)
    return encoded(image, format, **save)


def detailed(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """An RGB image with detail at every scale. Every seed and every corner has different detail."""
    noise = np.random.default_rng(seed)
    image = Image.new("RGB", size)
    for number, cells in enumerate((3, 17, 90), start=1):
        grid = Image.fromarray(noise.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        image = Image.blend(image, grid.resize(size, Image.Resampling.BICUBIC), 1 / number)
    return image


def encoded(image: Image.Image, format: str, **save: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **save)
    return buffer.getvalue()


def network(classes: int, *, size: int = 32, bias: Sequence[float] | None = None) -> bytes:
    """An ONNX classifier that predicts the breed from the photo's mean colour: average pool, then Gemm."""
    preprocessing = Preprocessing.for_size(size)
    hues = np.array([colour_of(index, classes) for index in range(classes)], dtype=np.float32) / 255
    hues -= hues.mean(axis=1, keepdims=True)
    hues *= 20 / np.linalg.norm(hues, axis=1, keepdims=True)
    offset = hues @ np.array(preprocessing.mean, dtype=np.float32) if bias is None else np.array(bias, dtype=np.float32)
    return onnx_model(
        [
            helper.make_node("GlobalAveragePool", ["photos"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
        ],
        {"weight": hues * np.array(preprocessing.std, dtype=np.float32), "bias": offset},
        output_shape=["batch", classes],
        size=size,
    )


def onnx_model(
    nodes: Sequence[Any],
    constants: dict[str, npt.NDArray[Any]],
    *,
    output_shape: Sequence[int | str],
    size: int = 32,
    outputs: Sequence[str] = ("logits",),
) -> bytes:
    """ONNX bytes of a graph from `photos` (batch, 3, size, size) to `outputs`."""
    graph = helper.make_graph(
        list(nodes),
        "classifier",
        [helper.make_tensor_value_info("photos", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(output_shape)) for name in outputs],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def write_artifact(folder: Path, labels: Sequence[str] = LABELS, size: int = 32, *, model: bytes | None = None) -> Path:
    """Write an artifact with the network `model`, else one that classifies `colour_of`. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        artifact.MODEL: network(len(labels), size=size) if model is None else model,
        artifact.LABELS: json.dumps(list(labels)).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    Manifest(
        precision="fp32",
        preprocessing=Preprocessing.for_size(size),
        files={name: artifact.sha256(content) for name, content in files.items()},
        training={"source": "tests"},
    ).write(folder)
    return folder


def write_resnet50(path: Path) -> Path:
    """ResNet50's weights as a .safetensors file, all of them zero, in half precision: 47 MB."""
    save_file({name: np.zeros(shape, np.float16) for name, shape in resnet50.shapes().items()}, path)
    return path
