"""Whether the sums of an int8 model can saturate on a processor without VNNI, where its predictions would change.

Such a processor multiplies unsigned 8-bit activations by signed 8-bit weights with the instruction VPMADDUBSW, which
adds two products into a signed 16-bit integer and clips the sum to -32768..32767 (Intel 64 and IA-32 Architectures
Software Developer's Manual, volume 2, PMADDUBSW). OpenVINO's documentation calls it the saturation (overflow) issue.
VNNI adds into 32 bits, so nothing is clipped there, and a measurement on such a processor shows no loss.

With weights of 7 bits (-64..64) a pair is at most 2 * 255 * 64 = 32640, so the sums are exact on every processor.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

INT16 = np.iinfo(np.int16)
MAX_ACTIVATION = 255
"""The largest unsigned 8-bit activation."""
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def weights_of(model: bytes) -> dict[str, npt.NDArray[np.int8]]:
    """The int8 weights of each quantised layer of an ONNX model with QDQ nodes, by the name of the layer's node."""
    graph = onnx.load_from_string(model).graph
    stored = {each.name: each for each in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    return {node.name: weight for node in graph.node for weight in _weights(node, made_by, stored)}


def saturating_layers(model: bytes) -> list[str]:
    """Names of the layers in which two products can exceed 16 bits, for some photo. Empty for a float32 model.

    Which two weights are added depends on the memory layout that a runtime chooses, so any two of a layer count.
    """
    return [name for name, weights in weights_of(model).items() if _can_saturate(weights)]


def _can_saturate(weights: npt.NDArray[np.int8]) -> bool:
    ordered = np.sort(weights, axis=None).astype(np.int64)
    low, high = (MAX_ACTIVATION * int(pair.sum()) for pair in (ordered[:2].clip(max=0), ordered[-2:].clip(min=0)))
    return low < INT16.min or high > INT16.max


def _weights(
    node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto], stored: dict[str, onnx.TensorProto]
) -> Iterator[npt.NDArray[np.int8]]:
    if node.op_type not in _WEIGHTED:
        return
    dequantised = [made_by[name] for name in node.input[:2] if name in made_by]
    while dequantised:
        source = dequantised.pop()
        if source.op_type == "Transpose" and source.input[0] in made_by:  # of the weights of a linear layer
            dequantised.append(made_by[source.input[0]])
        elif source.op_type == "DequantizeLinear" and source.input[0] in stored:
            yield numpy_helper.to_array(stored[source.input[0]])
