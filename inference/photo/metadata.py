"""A photo's file without its metadata: Pillow is handed pixels, and only the orientation is read of all the rest.

Profiles, EXIF, text, thumbnails, second pictures and animations say nothing about a breed, and Pillow reads them part
by part in Python: 6 MB of empty comments or of fill bytes keep it busy for seconds (docs/decisions/0056).
"""

import re
from dataclasses import dataclass
from typing import Literal

from inference.errors import RequestError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

_MAX_PARTS = 5000
"""Segments of a JPEG before its first scan, or chunks of a PNG or WebP; real ones have some hundred. Each costs
microseconds, and its sender as little as 4 bytes."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_START_OF_SCAN, _APP1, _APP14, _COMMENT = 0xDA, 0xE1, 0xEE, 0xFE
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_JPEG_METADATA = frozenset({*range(_APP1, 0xF0), _COMMENT}) - {_APP14}  # APP0 and APP14 tell how colours are stored
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_MAX_TAGS = 1000
_ORIENTATION = 0x0112
_INTEGER_BYTES = {1: 1, 3: 2, 4: 4}
"""Of the EXIF types that an orientation is written in: BYTE, SHORT, LONG."""


@dataclass(frozen=True, slots=True)
class Bare:
    """The file of a photo with nothing in it but pixels."""

    photo: bytes
    orientation: int = 1
    """EXIF's 1 (upright) to 8."""
    components_of_first_scan: int | None = None
    """Of a JPEG; fewer than it has in all mean that its scans cannot be decoded one row at a time."""


def without_metadata(photo: bytes) -> Bare:
    """Strip a JPEG or PNG; a WebP is only counted, because Pillow reads none of its metadata unasked.

    Raises RequestError (422) where there are far too many parts, or a JPEG ends before its first scan.
    """
    if photo.startswith(JPEG):
        return _jpeg(photo)
    return _png(photo) if photo.startswith(PNG) else _webp(photo)


def _jpeg(photo: bytes) -> Bare:
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
            return Bare(b"".join(kept), orientation, components_of_first_scan=photo[at + 2])
        if marker not in _JPEG_METADATA:
            kept.append(view[at - 2 : end])
        elif marker == _APP1 and orientation == 1:
            orientation = orientation_of(photo[at + 2 : end])
        at = end
    else:
        raise _too_many("segments")
    raise RequestError(422, "broken_photo", "The photo is damaged or cut off before its first row; send it again.")


def _png(photo: bytes) -> Bare:
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
            return Bare(b"".join(kept), orientation)
    raise _too_many("chunks")


def _webp(photo: bytes) -> Bare:
    at, end = 12, min(len(photo), 8 + int.from_bytes(photo[4:8], "little"))
    for _ in range(_MAX_PARTS):
        size = int.from_bytes(photo[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
        if at >= end:
            return Bare(photo)
    raise _too_many("chunks")


def _too_many(parts: str) -> RequestError:
    return RequestError(422, "too_many_parts", f"The photo's file has more than {_MAX_PARTS} {parts}; save it anew.")


def orientation_of(exif: bytes) -> int:
    """EXIF's orientation, 1 to 8, from a block of EXIF; 1 where it names none or is no such block."""
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
