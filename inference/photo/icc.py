"""Read an ICC profile: what the values of a photo's red, green and blue mean in linear sRGB.

Only profiles of primaries and curves are read, which cameras, phones and editors embed for Display P3, Adobe RGB,
ProPhoto RGB and Rec. 2020, and those of a grey curve. The bytes come from anywhere, so this reads a few hundred of them
itself, and hands them to no library. A profile that it cannot read, or that is not plausible, is ignored.
Offsets and types are from ICC.1:2022. docs/decisions/0095
"""

import struct

import numpy as np
import numpy.typing as npt

MAX_BYTES = 256 * 1024
"""No more of a profile is read. Profiles of primaries and curves have 0.5 to 25 kB; those of presses are larger."""

Linear = npt.NDArray[np.float32]
"""(3, 256, 3): what each value of red, green and blue adds to linear sRGB's red, green and blue, 0 to 1."""

_LEVELS = np.arange(256) / 255
_FROM_D50 = np.array(
    [[3.1341864, -1.6172090, -0.4906941], [-0.9787485, 1.9161301, 0.0334334], [0.0719639, -0.2289939, 1.4057537]]
)
"""XYZ under D50, the white of profiles, to linear sRGB: the inverse of sRGB's primaries, adapted to D50 (Bradford)."""

_HEADER, _MAX_TAGS = 128, 100
_MAX_TABLE = 4096
_MAX_TAG = 12 + 2 * _MAX_TABLE
_PARAMETERS = (1, 3, 4, 5, 7)
"""How many numbers each kind of a parametric curve has."""

_WHITE_WITHIN = 0.05
"""How far white may be from white. Primaries that add up to anything else are not those of a photo."""


def linear_srgb(profile: bytes, space: bytes) -> Linear | None:
    """How to convert an image whose profile this is. `space`: b"RGB " or b"GRAY", what the image has.

    None for a profile of another kind of image, without primaries and curves, or broken.
    """
    if profile[16:24] != space + b"XYZ " or profile[36:40] != b"acsp":
        return None
    names = (b"r", b"g", b"b") if space == b"RGB " else (b"k",) * 3
    tags = _tags(profile)
    curves = [_curve(tags.get(name + b"TRC", b"")) for name in names]
    matrix = _FROM_D50 @ _colorants([tags.get(name + b"XYZ", b"") for name in names]) if space == b"RGB " else np.eye(3)
    tables = [curve for curve in curves if curve is not None]
    if len(tables) != 3 or not np.abs(matrix.sum(axis=1) - 1).max() < _WHITE_WITHIN:
        return None
    return np.stack([np.outer(table, column) for table, column in zip(tables, matrix.T, strict=True)]).astype(
        np.float32
    )


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(profile[_HEADER : _HEADER + 4]), _MAX_TAGS)
    index = profile[_HEADER + 4 : _HEADER + 4 + 12 * count]
    entries = struct.iter_unpack(">4sII", index[: len(index) // 12 * 12])
    return {name: profile[offset : offset + min(size, _MAX_TAG)] for name, offset, size in entries}


def _colorants(tags: list[bytes]) -> npt.NDArray[np.float64]:
    """The XYZ of red, green and blue as columns; not a number where a tag has none."""
    columns = np.full((3, 3), np.nan)
    for number, tag in enumerate(tags):
        if tag[:4] == b"XYZ " and len(tag) >= 20:
            columns[:, number] = np.frombuffer(tag, ">i4", count=3, offset=8) / 65536
    return columns


def _curve(tag: bytes) -> npt.NDArray[np.float64] | None:
    """Linear light of the 256 levels. None for a curve that cannot be read or that is not one of a photo."""
    with np.errstate(all="ignore"):  # a curve may have any numbers; the result is judged
        values = {b"curv": _table, b"para": _parametric}.get(tag[:4], lambda _: None)(tag)
    if values is None or not np.isfinite(values).all():
        return None
    plausible = abs(values[0]) < 0.05 and abs(values[-1] - 1) < 0.05 and (np.diff(values) >= 0).all()
    return np.clip(values, 0, 1) if plausible else None


def _table(tag: bytes) -> npt.NDArray[np.float64] | None:
    count = int.from_bytes(tag[8:12])
    if count > _MAX_TABLE or len(tag) < 12 + 2 * count:
        return None
    entries = np.frombuffer(tag, ">u2", count=count, offset=12)
    if count == 0:
        return _LEVELS.copy()
    if count == 1:
        return np.asarray(_LEVELS ** (int(entries[0]) / 256))
    return np.interp(_LEVELS, np.linspace(0, 1, count), entries / 65535)


def _parametric(tag: bytes) -> npt.NDArray[np.float64] | None:
    kind = int.from_bytes(tag[8:10])
    if kind >= len(_PARAMETERS) or len(tag) < 12 + 4 * _PARAMETERS[kind]:
        return None
    numbers = np.frombuffer(tag, ">i4", count=_PARAMETERS[kind], offset=12) / 65536
    power, a, b, c, d, e, f = np.pad(numbers, (0, 7 - len(numbers)))
    if kind == 0:
        return np.asarray(_LEVELS**power)
    if kind in (1, 2):  # c is added to both parts, which meet at -b/a; in kind 1 it is 0
        c, d, e, f = 0, -b / a if a else 0, c, c
    curved = np.maximum(a * _LEVELS + b, 0) ** power + e
    return np.asarray(np.where(d <= _LEVELS, curved, c * _LEVELS + f))
