"""Check the bytes of model.onnx before a runtime loads them: they may contain an image classifier and nothing else.

A runtime reads more from an ONNX file than a classifier needs: weights from other files, operators from shared
libraries, loops, tensors of any size. The file is a protobuf message of a few levels. It is read here by field number;
onnx.proto has the names.
"""

import re
from collections.abc import Iterator

_OPERATORS = """
    Add AveragePool BatchNormalization Cast Clip Constant Conv DequantizeLinear Div Dropout Erf Exp Flatten Gemm
    GlobalAveragePool HardSigmoid HardSwish Identity LayerNormalization LeakyRelu Log MatMul MaxPool Mul PRelu Pow
    QuantizeLinear ReduceMean Relu Reshape Sigmoid Softmax Sqrt Squeeze Sub Tanh Transpose Unsqueeze
"""
OPERATORS = frozenset(re.findall(r"\w+", _OPERATORS))
"""The operators of image classifiers. None loops, branches, or has an output whose size depends on the data."""

MAX_NODES = 20_000
MAX_STEP = 64
"""Pixels of a kernel, a stride or a padding: a convolution's padding could be larger than the memory."""

_STEPS = frozenset({b"dilations", b"kernel_shape", b"pads", b"strides"})
_STRING = 8
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5

Field = tuple[int, int, memoryview]
"""The field's number, its value if it is an integer, and its bytes if it is anything else."""


class GraphError(ValueError):
    """A model that is not just an image classifier. The message is half a sentence that says what it contains."""


def check(model: bytes) -> None:
    """Raise GraphError for a model that contains anything but an image classifier."""
    graphs = 0
    for number, _, content in _fields(memoryview(model)):
        if number == 7:
            graphs += 1
            _check_graph(content)
        elif number == 20:
            raise GraphError("it contains a training graph")
        elif number == 25:
            raise GraphError("it defines its own operators")
    if graphs != 1:
        raise GraphError("it contains several graphs" if graphs else "it is not an ONNX model")


def _fields(message: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value, message[:0]
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED_32, _FIXED_64):
            length = 4 if kind == _FIXED_32 else 8
        else:
            raise GraphError("it is not an ONNX model")
        if at + length > len(message):
            raise GraphError("it is not an ONNX model, or was cut off")
        yield number, 0, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise GraphError("it is not an ONNX model")


def _check_graph(graph: memoryview) -> None:
    nodes = 0
    for number, _, content in _fields(graph):
        if number == 1:
            nodes += 1
            _check_node(content)
        elif number == 5:
            _check_tensor(content)
        elif number == 15:
            raise GraphError("it contains sparse tensors")
    if nodes > MAX_NODES:
        raise GraphError(f"it has {nodes} operators, more than the limit of {MAX_NODES}")


def _check_node(node: memoryview) -> None:
    operator, domain = "", ""
    for number, _, content in _fields(node):
        if number == 4:
            operator = _text(content)
        elif number == 7:
            domain = _text(content)
        elif number == 5:
            _check_attribute(content)
    if domain not in ("", "ai.onnx") or operator not in OPERATORS:
        raise GraphError(
            f"it uses the operator {'.'.join(filter(None, (domain, operator)))!r}, which no image classifier needs"
        )


def _check_attribute(attribute: memoryview) -> None:
    name, numbers = b"", []
    for number, value, content in _fields(attribute):
        if number == 1:
            name = bytes(content[:32])
        elif number in (5, 10):
            _check_tensor(content)
        elif number in (6, 11, 22, 23):
            raise GraphError("an operator contains a graph or a sparse tensor")
        elif number in (3, 8):
            numbers += _integers(value, content)
    if name in _STEPS and any(not 0 <= step <= MAX_STEP for step in numbers):
        raise GraphError(f"{name.decode()} is {numbers[:8]}, outside 0 to {MAX_STEP}")


def _check_tensor(tensor: memoryview) -> None:
    elements, raw = 1, None
    for number, value, content in _fields(tensor):
        if number == 1:
            for size in _integers(value, content):
                elements *= size
        elif number == 2 and value == _STRING:
            raise GraphError("it contains a tensor of text")
        elif number == 9:
            raw = len(content)
        elif number == 13 or (number == 14 and value):
            raise GraphError("its weights are in another file")
    # the smallest elements have 4 bits, so two share a byte; in a list of numbers each takes at least a byte
    if elements > 2 * (len(tensor) if raw is None else raw):
        raise GraphError(f"a tensor claims {elements} elements, but contains fewer")


def _integers(value: int, content: memoryview) -> list[int]:
    """A repeated integer field: one integer, or many packed into bytes."""
    if not content:
        return [value]
    integers, at = [], 0
    while at < len(content):
        integer, at = _varint(content, at)
        integers.append(integer)
    return integers


def _text(content: memoryview) -> str:
    return bytes(content[:100]).decode("ascii", "replace")
