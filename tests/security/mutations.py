"""Photos of every kind with small random changes."""

import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.builders import detailed, encoded


def seeds() -> list[bytes]:
    """Small valid photos, one of each kind that other code decodes."""
    image = detailed((64, 48), seed=6)
    transparent = image.convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encoded(image, "JPEG", exif=exif),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image.convert("L"), "JPEG"),
        encoded(image, "MPO", save_all=True, append_images=[image]),
        encoded(image, "PNG"),
        encoded(image.quantize(16), "PNG", transparency=3),
        encoded(transparent, "PNG", save_all=True, append_images=[transparent]),
        encoded(Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64)), "PNG"),
        encoded(image, "WEBP", exif=exif),
        encoded(transparent, "WEBP", lossless=True),
        encoded(transparent, "WEBP", lossless=True, save_all=True, append_images=[transparent]),
    ]


def mutated(photo: bytes, dice: random.Random) -> bytes:
    """The photo after one to six changes: a byte or bit, a part removed, doubled or overwritten, the end cut off."""
    changed = bytearray(photo)
    for _ in range(dice.randint(1, 6)):
        reach = min(len(changed), dice.choice((64, 512, len(photo))))  # so that headers are changed often enough
        if not reach:
            break
        at, length = dice.randrange(reach), dice.choice((1, 2, 4, 16, 64))
        match dice.randrange(8):
            case 0:
                del changed[at : at + length]
            case 1:
                changed[at:at] = changed[at : at + length]
            case 2:
                changed[at : at + length] = dice.randbytes(length)
            case 3:
                del changed[max(16, at) :]
            case 4 | 5:
                changed[at] ^= 1 << dice.randrange(8)
            case _:
                changed[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
    if changed.startswith(b"\x89PNG") and dice.random() < 0.8:
        return _with_right_checksums(changed)
    return bytes(changed)


def _with_right_checksums(photo: bytearray) -> bytes:
    """A PNG with correct checksums. Otherwise every mutation would end at the first checksum."""
    at = 8
    while at + 12 <= len(photo):
        end = at + 8 + int.from_bytes(photo[at : at + 4])
        photo[end : end + 4] = struct.pack(">I", zlib.crc32(photo[at + 4 : end]))
        at = end + 4
    return bytes(photo)


def mutations(count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` changed photos, the same for each seed, one of each kind after the other."""
    photos, dice = seeds(), random.Random(seed)
    for number in range(count):
        yield mutated(photos[number % len(photos)], dice)
