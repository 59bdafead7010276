"""ICC profiles of the RGB spaces that photos come in, built from their primaries, their white and their curve.

Version 4 of the ICC specification (ICC.1:2022): the primaries are adapted to D50 with Bradford's matrix.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Chromaticity = tuple[float, float]

D50 = np.array([0.9642, 1.0, 0.8249])
_D65, _D50 = (0.3127, 0.3290), (0.34567, 0.35850)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def gamma(value: float) -> bytes:
    """A curve that is a power, as version 2 stores it: in 1/256."""
    return struct.pack(">4s4xIH", b"curv", 1, round(value * 256))


def parametric(kind: int, *values: float) -> bytes:
    return struct.pack(f">4s4xHxx{len(values)}i", b"para", kind, *(round(value * 65536) for value in values))


def table(values: Sequence[float]) -> bytes:
    entries = [round(value * 65535) for value in values]
    return struct.pack(f">4s4xI{len(entries)}H", b"curv", len(entries), *entries)


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

PRIMARIES: dict[str, tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]] = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65),
    "Rec. 2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "ProPhoto RGB": ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), _D50),
}
"""Red, green, blue and white as x and y of CIE 1931, from each space's standard."""

CURVES = {
    "sRGB": SRGB_CURVE,
    "Display P3": SRGB_CURVE,
    "Adobe RGB": gamma(563 / 256),
    "Rec. 2020": parametric(3, 1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0812),
    "ProPhoto RGB": parametric(3, 1.8, 1, 0, 1 / 16, 1 / 32),
}


def colorants(primaries: tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]) -> Matrix:
    """The XYZ of red, green and blue as columns, adapted to D50."""
    red, green, blue, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    columns = np.stack([red, green, blue], axis=1)
    columns = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ white))
    adapted: Matrix = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ columns
    return adapted


def s15(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile_of(
    tags: dict[bytes, bytes], *, space: bytes = b"RGB ", kind: bytes = b"mntr", pcs: bytes = b"XYZ "
) -> bytes:
    """A profile with these tags. Equal contents are stored once, as real profiles share one curve."""
    contents = list(dict.fromkeys(tags.values()))
    at, offsets = 128 + 4 + 12 * len(tags), {}
    for content in contents:
        offsets[content] = at
        at += -(-len(content) // 4) * 4
    index = b"".join(name + struct.pack(">II", offsets[content], len(content)) for name, content in tags.items())
    body = b"".join(content.ljust(-(-len(content) // 4) * 4, b"\0") for content in contents)
    head = struct.pack(">I4sI4s4s4s12s4s", at, b"", 0x04400000, kind, space, pcs, bytes(12), b"acsp")
    head += bytes(28) + s15(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def matrix_profile(columns: Matrix, curves: Sequence[bytes]) -> bytes:
    """A profile of a display: the XYZ of red, green and blue as columns, and their three curves."""
    text = struct.pack(">4s4xIIHHII", b"mluc", 1, 12, 0x656E, 0x5553, 2, 28) + "x".encode("utf-16-be")
    tags = {b"desc": text, b"cprt": text, b"wtpt": b"XYZ \0\0\0\0" + s15(D50)}
    for letter, column, curve in zip((b"r", b"g", b"b"), columns.T, curves, strict=True):
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + s15(column)
        tags[letter + b"TRC"] = curve
    return profile_of(tags)


def named(space: str) -> bytes:
    """The profile of a space of PRIMARIES."""
    return matrix_profile(colorants(PRIMARIES[space]), [CURVES[space]] * 3)
