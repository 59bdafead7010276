"""The one colour that a greyscale or RGB PNG may declare transparent.

Pillow compares it with samples that it has already scaled to 8 bits, so at other depths it shows pixels that the file
hides, or hides pixels that the file shows. Transparency by a palette or by an alpha channel is left to Pillow.
https://www.w3.org/TR/png-3/#11tRNS
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

_GREY, _RGB = 0, 2


@dataclass(frozen=True, slots=True)
class TransparentColour:
    """The samples of the colour, one or three, and the bits of each sample."""

    samples: tuple[int, ...]
    depth: int

    @classmethod
    def of(cls, colour_type: int, depth: int, content: bytes) -> "TransparentColour | None":
        """From the content of the chunk tRNS. None for another colour type, or where the chunk is too short."""
        count = {_GREY: 1, _RGB: 3}.get(colour_type, 0)
        if not count or len(content) < 2 * count:
            return None
        most = (1 << depth) - 1  # higher bits have no meaning
        return cls(tuple(int.from_bytes(content[2 * i : 2 * i + 2]) & most for i in range(count)), depth)

    @property
    def needs_low_bytes(self) -> bool:
        """Whether the colour has 16 bits that Pillow does not keep: those of RGB, not those of grey."""
        return self.depth == 16 and len(self.samples) == 3

    def mask(self, image: Image.Image, low: Image.Image | None) -> Image.Image:
        """Mode L, 255 where the decoded image has this colour. `low` has the low bytes, where they are needed."""
        if image.mode == "1":
            image = image.convert("L")
        pixels, wanted = np.asarray(image), np.array(self.samples)
        if low is not None:
            hidden = _equal(pixels, wanted >> 8) & _equal(np.asarray(low), wanted & 255)
        elif self.depth < 8:
            hidden = _equal(pixels, wanted * 255 // ((1 << self.depth) - 1))  # Pillow scales such samples to 0..255
        else:
            hidden = _equal(pixels, wanted)
        return Image.fromarray(hidden.astype(np.uint8) * 255)


def _equal(pixels: npt.NDArray[np.generic], wanted: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    if pixels.ndim == 2:
        return np.asarray(pixels == wanted[0])
    same = [pixels[..., channel] == value for channel, value in enumerate(wanted)]
    return np.asarray(same[0] & same[1] & same[2])


def low_bytes(png: bytes) -> Image.Image:
    """The low bytes of a PNG of 16-bit RGB, of which Pillow keeps the high bytes. Mode RGB."""
    image = Image.open(io.BytesIO(png), formats=("PNG",))
    # PNG is big-endian: read as little-endian, the byte that Pillow takes for the high one is the low one
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    image.load()
    return image
