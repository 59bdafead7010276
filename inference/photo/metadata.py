"""Strip a photo's file of its metadata before Pillow reads it. Of the metadata, only the orientation is used.

EXIF, text, thumbnails, second pictures and animations say nothing about a breed, and Pillow reads them part by part in
Python: 6 MB of empty comments or of fill bytes keep it busy for seconds (docs/decisions/0056). The colour profile is
set apart, because inference/photo/icc.py reads it.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Literal

from inference.photo import icc
from inference.photo.errors import PhotoError
from inference.photo.file_types import JPEG_SIGNATURE, PNG_SIGNATURE
from inference.photo.transparency import TransparentColour

_MAX_PARTS = 5000
"""Segments of a JPEG before its first scan, or chunks of a PNG or WebP; real ones have a few hundred. Each costs
microseconds here, and its sender as little as 4 bytes."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_START_OF_SCAN, _APP1, _APP2, _APP14, _COMMENT = 0xDA, 0xE1, 0xE2, 0xEE, 0xFE
_ICC = b"ICC_PROFILE\0"
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_JPEG_METADATA = frozenset({*range(_APP1, 0xF0), _COMMENT}) - {_APP14}  # APP0 and APP14 say how colours are stored
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PALETTE = 3  # IHDR's colour type
_MAX_NAME = 80  # of a profile, with the zero after it

_MAX_TAGS = 1000
_ORIENTATION = 0x0112
_INTEGER_BYTES = {1: 1, 3: 2, 4: 4}
"""By EXIF type, of the types that an orientation may have: BYTE, SHORT, LONG."""


@dataclass(frozen=True, slots=True)
class StrippedImage:
    """The file of a photo without metadata, and what decoding needs to know of the file that it came from."""

    photo: bytes
    orientation: int = 1
    """EXIF's 1 (upright) to 8."""
    components_of_first_scan: int | None = None
    """Of a JPEG. Fewer than the image has mean that libjpeg must read every scan before it can write the first row."""
    profile: bytes = b""
    """The first `icc.MAX_BYTES` of the ICC profile; empty where the file has none."""
    canvas: tuple[int, int] | None = None
    """Width and height of a WebP."""
    transparent: TransparentColour | None = None
    """Of a PNG. Its palette's transparency is left in the file."""


def without_metadata(photo: bytes) -> StrippedImage:
    """Strip a JPEG or PNG. Of a WebP only the profile is read: Pillow does not read its metadata by itself.

    Raises PhotoError where the file has far too many parts, or a JPEG ends before its first scan.
    """
    if photo.startswith(JPEG_SIGNATURE):
        return _jpeg(photo)
    return _png(photo) if photo.startswith(PNG_SIGNATURE) else _webp(photo)


def _jpeg(photo: bytes) -> StrippedImage:
    view, kept, orientation, at = memoryview(photo), [memoryview(photo)[:2]], 1, 2
    parts: list[tuple[int, memoryview]] = []
    for _ in range(_MAX_PARTS):
        found = _MARKER.search(photo, at)
        if found is None:
            break
        at, marker = found.end(), photo[found.end() - 1]
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(photo[at : at + 2])
        end = at + length
        if length < 2 or end > len(photo):
            break
        if marker == _START_OF_SCAN:
            kept.append(view[at - 2 :])
            return StrippedImage(b"".join(kept), orientation, photo[at + 2], _joined(parts))
        if marker not in _JPEG_METADATA:
            kept.append(view[at - 2 : end])
        elif marker == _APP1 and orientation == 1:
            orientation = orientation_of(photo[at + 2 : end])
        elif marker == _APP2 and photo.startswith(_ICC, at + 2) and at + 2 + len(_ICC) + 2 <= end:
            number = at + 2 + len(_ICC)  # of this part; the next byte is the number of parts
            parts.append((photo[number], view[number + 2 : end]))
        at = end
    else:
        raise _too_many("segments")
    raise PhotoError("broken_photo", "The photo is damaged or cut off before its first row; send it again.")


def _joined(parts: list[tuple[int, memoryview]]) -> bytes:
    """A profile from its parts, which may come in any order (ICC.1:2022, annex B.4)."""
    profile = bytearray()
    for _, content in sorted(parts, key=lambda part: part[0]):
        profile += content[: icc.MAX_BYTES - len(profile)]
    return bytes(profile)


def _png(photo: bytes) -> StrippedImage:
    view, kept, orientation, at = memoryview(photo), [memoryview(photo)[:8]], 1, 8
    depth, colour_type = photo[24:26].ljust(2)
    profile, transparent = None, None
    for _ in range(_MAX_PARTS):
        end = at + 12 + int.from_bytes(photo[at : at + 4])
        kind = photo[at + 4 : at + 8]
        if kind == b"tRNS" and colour_type != _PALETTE:
            transparent = transparent or TransparentColour.of(colour_type, depth, photo[at + 8 : end - 4])
        elif kind in _PNG_PIXELS:
            kept.append(view[at:end])
        elif kind == b"eXIf" and orientation == 1:
            orientation = orientation_of(photo[at + 8 : end - 4])
        elif kind == b"iCCP" and profile is None:  # one at most: thousands of broken ones would take seconds
            profile = _inflated(view[at + 8 : max(end - 4, at + 8)])
        at = end
        if kind == b"IEND" or at >= len(photo):
            return StrippedImage(b"".join(kept), orientation, profile=profile or b"", transparent=transparent)
    raise _too_many("chunks")


def _inflated(chunk: memoryview) -> bytes:
    """The profile in a PNG's chunk, after its name, a zero, and a byte for the method of compression."""
    start = bytes(chunk[:_MAX_NAME]).find(b"\0") + 2
    try:
        return zlib.decompressobj().decompress(chunk[start : start + icc.MAX_BYTES], icc.MAX_BYTES)
    except zlib.error:
        return b""


def _webp(photo: bytes) -> StrippedImage:
    at, end, profile = 12, min(len(photo), 8 + int.from_bytes(photo[4:8], "little")), b""
    for _ in range(_MAX_PARTS):
        size = int.from_bytes(photo[at + 4 : at + 8], "little")
        if photo.startswith(b"ICCP", at) and not profile:
            profile = photo[at + 8 : at + 8 + min(size, icc.MAX_BYTES)]
        at += 8 + size + size % 2
        if at >= end:
            return StrippedImage(photo, profile=profile, canvas=_canvas(photo))
    raise _too_many("chunks")


def _canvas(webp: bytes) -> tuple[int, int]:
    """Width and height of a WebP, which its first chunk has (RFC 9649, sections 2.5 to 2.7)."""
    kind, content = webp[12:16], webp[20:30]
    if len(content) == 10:
        if kind == b"VP8X":
            return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
        if kind == b"VP8L":
            bits = int.from_bytes(content[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 ":
            return int.from_bytes(content[6:8], "little") & 0x3FFF, int.from_bytes(content[8:10], "little") & 0x3FFF
    raise PhotoError("broken_photo", "The photo is damaged and does not say how large it is; send it again.")


def _too_many(parts: str) -> PhotoError:
    return PhotoError("too_many_parts", f"The photo's file has more than {_MAX_PARTS} {parts}; save the photo again.")


def orientation_of(exif: bytes) -> int:
    """The orientation in a block of EXIF, 1 to 8; 1 where the block has none or cannot be read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"] | None = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])  # type: ignore[assignment]
    if order is None:
        return 1
    directory = int.from_bytes(tiff[4:8], order)
    tags = int.from_bytes(tiff[directory : directory + 2], order)
    # not beyond the block: 5,000 short blocks of 65,535 tags each would take most of a second
    for at in range(directory + 2, min(directory + 2 + 12 * min(tags, _MAX_TAGS), len(tiff)), 12):
        if int.from_bytes(tiff[at : at + 2], order) == _ORIENTATION:
            size = _INTEGER_BYTES.get(int.from_bytes(tiff[at + 2 : at + 4], order), 0)
            value = int.from_bytes(tiff[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1
