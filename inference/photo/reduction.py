"""How far a photo is scaled down while it is decoded and right after, before it is scaled exactly."""

import numpy as np
from PIL import Image

from inference.photo.transparency import TransparentColour

_DRAFT_MARGIN = 2.5
"""While a JPEG is decoded it is scaled to no less than this times the side wanted; bilinear scaling does the rest.
The decoder's filter is not torchvision's: with a margin of 2 some probabilities move by more than 0.02."""

_EXACT_PIXELS = 4_000_000
"""A PNG or WebP of up to this many pixels is scaled exactly as torchvision does. A larger one is averaged first."""

_REDUCED_MARGIN = 2
"""It is averaged to no less than this times the side wanted, which Pillow calls a reducing gap."""

_BAND_ROWS = 64
"""A photo that is decoded whole is converted to RGB in bands of this many rows: no second copy of its size exists."""


def draft(image: Image.Image, shorter_side: int) -> None:
    """Let the decoder of a large JPEG scale it down (libjpeg's DCT scaling); other formats are not changed."""
    share = shorter_side * _DRAFT_MARGIN / min(image.size)
    if share < 1:
        image.draft("RGB", (round(image.width * share), round(image.height * share)))


def draft_factor(jpeg: Image.Image, shorter_side: int) -> int:
    """Pixels of each side that libjpeg makes one of after `draft`: 1, 2, 4 or 8."""
    wanted = shorter_side * _DRAFT_MARGIN
    return max(factor for factor in (1, 2, 4, 8) if factor == 1 or factor * wanted <= min(jpeg.size))


def averaging_factor(format: str | None, size: tuple[int, int], shorter_side: int) -> int:
    """Pixels of each side that are averaged to one after decoding; 1 for a JPEG, which its decoder scales."""
    if format == "JPEG" or size[0] * size[1] <= _EXACT_PIXELS:
        return 1
    return max(1, int(min(size) / (shorter_side * _REDUCED_MARGIN)))


def averaged_rgb(
    image: Image.Image, factor: int, transparent: TransparentColour | None = None, low: Image.Image | None = None
) -> Image.Image:
    """RGB on a white background, each `factor` x `factor` pixels averaged to one.

    `low` has the image's low bytes, where `transparent` needs them.
    """
    if image.mode == "RGB" and factor == 1 and not image.has_transparency_data and transparent is None:
        return image
    width, height = image.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(_BAND_ROWS // factor, 1) * factor
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        band = image.crop(box)
        mask = transparent.mask(band, low.crop(box) if low else None) if transparent else None
        band = _rgb(band)
        if mask is not None:
            band.paste("white", (0, 0), mask)
        reduced.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return reduced


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale: Pillow's own conversion clips to white
        image = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")  # convert would copy an image that is RGB already
