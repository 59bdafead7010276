"""Build photos by hand, valid or not: the parts of the attacks, and the register of all attacks."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from inference.server.app import MAX_BODY_BYTES

FOLDER = Path(__file__).parent / "attacks"
FULL = MAX_BODY_BYTES - 20_000
"""Bytes that fill a request, with room for the photo around them."""

ANY_PHOTO = "application/x-image"


@dataclass(frozen=True)
class Attack:
    """One hostile body. `expected`: the statuses that are a correct response to it."""

    name: str
    make: Callable[[], bytes]
    expected: tuple[int, ...]
    content_type: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.gz"

    def write(self) -> None:
        self.path.write_bytes(gzip.compress(self.make(), mtime=0))

    def body(self) -> bytes:
        """The committed bytes, which are not built again."""
        return gzip.decompress(self.path.read_bytes())


ATTACKS: dict[str, Attack] = {}


def attack(
    name: str, *expected: int, content_type: str = ANY_PHOTO
) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Register the function that builds an attack. Its docstring describes the attack."""

    def register(make: Callable[[], bytes]) -> Callable[[], bytes]:
        assert name not in ATTACKS
        assert make.__doc__
        ATTACKS[name] = Attack(name, make, expected, content_type)
        return make

    return register


def photo(format: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **save: Any) -> bytes:
    """A valid photo of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, size, 90).save(buffer, format, **save)
    return buffer.getvalue()


# -- PNG -------------------------------------------------------------------------------------------------------------

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
IEND = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int, colour: int = RGB, depth: int = 8, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + IEND


def rows(width: int, height: int, colour: int = RGB, depth: int = 8, *, filter: int = 4) -> bytes:
    """The IDAT of an image whose rows all have the filter `filter` (4, Paeth, is the slowest to reverse)."""
    row = bytes([filter]) + b"\1" * ((width * _CHANNELS[colour] * depth + 7) // 8)
    packer = zlib.compressobj(9)
    return chunk(b"IDAT", b"".join(packer.compress(row) for _ in range(height)) + packer.flush())


def whole_png(width: int, height: int, colour: int = RGB, depth: int = 8, *before: bytes) -> bytes:
    palette = (chunk(b"PLTE", bytes(768)),) if colour == PALETTE else ()
    return png(header(width, height, colour, depth), *palette, *before, rows(width, height, colour, depth))


# -- JPEG ------------------------------------------------------------------------------------------------------------

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def segment(marker: int, content: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header."""
    start = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg) + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def after_soi(jpeg: bytes, inserted: bytes) -> bytes:
    return jpeg[:2] + inserted + jpeg[2:]


def filled(part: bytes, total: int = FULL) -> bytes:
    return part * (total // len(part))


# -- WebP ------------------------------------------------------------------------------------------------------------


def riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def webp(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def u24(value: int) -> bytes:
    return value.to_bytes(3, "little")


def extended(width: int, height: int, flags: int = 0) -> bytes:
    return riff(b"VP8X", bytes([flags, 0, 0, 0]) + u24(width - 1) + u24(height - 1))


def bitstream(size: tuple[int, int] = (64, 48), **save: Any) -> bytes:
    """The VP8 or VP8L chunk of a valid photo."""
    return photo("WEBP", size, **save)[12:]


def frame(content: bytes, x: int = 0, y: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    return riff(b"ANMF", u24(x // 2) + u24(y // 2) + u24(size[0] - 1) + u24(size[1] - 1) + bytes(4) + content)


def lossless_of(width: int, height: int) -> bytes:
    """A WebP of almost no bytes whose header claims this size; the pixels are all one colour."""
    content = bytearray(photo("WEBP", lossless=True))
    content[21:25] = ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    return bytes(content)
