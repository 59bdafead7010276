"""Strip a photo's file of its metadata before Pillow reads it. Of the metadata, only the orientation is used.

Profiles, EXIF, text, thumbnails, second pictures and animations say nothing about a breed, and Pillow reads them part
by part in Python: 6 MB of empty comments or of fill bytes keep it busy for seconds (docs/decisions/0056).
"""

import re
from dataclasses import dataclass
from typing import Literal

from inference.photo.errors import PhotoError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

_MAX_PARTS = 5000
"""Segments of a JPEG before its first scan, or chunks of a PNG or WebP; real ones have a few hundred. Each costs
microseconds here, and its sender as little as 4 bytes."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_START_OF_SCAN, _APP1, _APP14, _COMMENT = 0xDA, 0xE1, 0xEE, 0xFE
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_JPEG_METADATA = frozenset({*range(_APP1, 0xF0), _COMMENT}) - {_APP14}  # APP0 and APP14 say how colours are stored
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

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


def without_metadata(photo: bytes) -> StrippedImage:
    """Strip a JPEG or PNG. The chunks of a WebP are only counted: Pillow does not read its metadata by itself.

    Raises PhotoError where the file has far too many parts, or a JPEG ends before its first scan.
    """
    if photo.startswith(JPEG):
        return _jpeg(photo)
    return _png(photo) if photo.startswith(PNG) else _webp(photo)


def _jpeg(photo: bytes) -> StrippedImage:
    view, kept, orientation, at = memoryview(photo), [memoryview(photo)[:2]], 1, 2
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
            return StrippedImage(b"".join(kept), orientation, components_of_first_scan=photo[at + 2])
        if marker not in _JPEG_METADATA:
            kept.append(view[at - 2 : end])
        elif marker == _APP1 and orientation == 1:
            orientation = orientation_of(photo[at + 2 : end])
        at = end
    else:
        raise _too_many("segments")
    raise PhotoError("broken_photo", "The photo is damaged or cut off before its first row; send it again.")


def _png(photo: bytes) -> StrippedImage:
    view, kept, orientation, at = memoryview(photo), [memoryview(photo)[:8]], 1, 8
    for _ in range(_MAX_PARTS):
        end = at + 12 + int.from_bytes(photo[at : at + 4])
        kind = photo[at + 4 : at + 8]
        if kind in _PNG_PIXELS:
            kept.append(view[at:end])
        elif kind == b"eXIf" and orientation == 1:
            orientation = orientation_of(photo[at + 8 : end - 4])
        at = end
        if kind == b"IEND" or at >= len(photo):
            return StrippedImage(b"".join(kept), orientation)
    raise _too_many("chunks")


def _webp(photo: bytes) -> StrippedImage:
    at, end = 12, min(len(photo), 8 + int.from_bytes(photo[4:8], "little"))
    for _ in range(_MAX_PARTS):
        size = int.from_bytes(photo[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
        if at >= end:
            return StrippedImage(photo)
    raise _too_many("chunks")


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
    for at in range(directory + 2, directory + 2 + 12 * min(tags, _MAX_TAGS), 12):
        if int.from_bytes(tiff[at : at + 2], order) == _ORIENTATION:
            size = _INTEGER_BYTES.get(int.from_bytes(tiff[at + 2 : at + 4], order), 0)
            value = int.from_bytes(tiff[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 1
    return 1
