"""Check a file of weights before it is sent: what training would refuse is refused here, and before a GPU is billed.

It needs numpy and safetensors, and not torch.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from ops.weights import resnet50
from training.model.weights_file import Shapes, bare, misfit, unfit, unreadable, weights_file

MOST_BYTES = 2**30
"""Limit of a file. ResNet50's weights take 102 MB; with 64 bits for each number, 205 MB."""

_EXPONENTS = {
    # IEEE 754: a number is infinite, or not a number, if every bit of its exponent is set.
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}
_INTEGERS = ("I64", "I32", "I16", "I8", "U8")


@dataclass(frozen=True, slots=True)
class CheckedWeights:
    """A file whose tensors fill the backbone."""

    content: bytes = field(repr=False)
    sha256: str
    """Of the content, in hexadecimal digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The tensors that a network needs."""

    name: str
    shapes: Shapes
    in_head: Callable[[str], bool]


RESNET50 = Layout(name=resnet50.NAME, shapes=resnet50.shapes(), in_head=resnet50.in_head)


def checked(path: Path, layout: Layout = RESNET50) -> CheckedWeights:
    """Read a .safetensors file, or the only one in a folder.

    Raises WeightsError if the file is missing, a pickle, incomplete or of another network, or if it contains a number
    that is not finite. A pickle is not opened.
    """
    path = weights_file(path)
    if path.stat().st_size > MOST_BYTES:
        raise unfit(str(path), layout.name, f"it has {path.stat().st_size:,} bytes, and those have 102 million")
    content = path.read_bytes()
    try:
        found = deserialize(content)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise unreadable(path, error) from error
    tensors: dict[str, dict[str, Any]] = {bare(name): tensor for name, tensor in found}
    shapes = {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}
    reason = misfit(shapes, layout.shapes, in_head=layout.in_head) or _invalid_number(tensors)
    if reason:
        raise unfit(str(path), layout.name, reason)
    return CheckedWeights(content, hashlib.sha256(content).hexdigest())


def _invalid_number(tensors: dict[str, dict[str, Any]]) -> str:
    """The first tensor with a number that is not finite, or of a type that is not read; empty if there is none."""
    for name, tensor in tensors.items():
        kind = tensor["dtype"]
        if kind in _INTEGERS:
            continue
        if kind not in _EXPONENTS:
            return f"{name} has the type {kind}, and not one of {', '.join((*_EXPONENTS, *_INTEGERS))}"
        unsigned, exponent = _EXPONENTS[kind]
        bits = np.frombuffer(tensor["data"], dtype=unsigned)
        if ((bits & bits.dtype.type(exponent)) == exponent).any():
            return f"{name} contains values that are not finite"
    return ""
