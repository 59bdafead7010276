"""Colours: the values of an image in another colour space become sRGB's.

The network was trained on sRGB. A phone's Display P3 or a camera's Adobe RGB has paler colours if its values are taken
for those of sRGB. The conversion is a 3 x 3 matrix in linear light, on the scaled image, where it takes a millisecond.
docs/decisions/0095 has the measurements.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.photo.icc import Linear

_KEY = "linear_srgb"  # of Image.info, which Pillow's resize, crop and transpose keep

_SAME_WITHIN = 3
"""Levels. A space that differs from sRGB by no more than this is sRGB, and its photos are not changed at all: the many
profiles of sRGB round its primaries and its curve in different ways."""


def _encoding() -> npt.NDArray[np.uint8]:
    """sRGB's curve (IEC 61966-2-1): linear light in 1/65535 to a level of 8 bits."""
    light = np.arange(65536) / 65535
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(curve * 255).astype(np.uint8)


_BAND_ROWS = 32

_ENCODED = _encoding()
_GRID = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1)


def attach(image: Image.Image, linear: Linear | None) -> None:
    """Note what the values of `image` mean, for `to_srgb`. None: they are sRGB's."""
    image.info.pop(_KEY, None)
    if linear is not None and np.abs(_converted(_GRID, linear).astype(int) - _GRID).max() > _SAME_WITHIN:
        image.info[_KEY] = linear


def to_srgb(image: Image.Image) -> Image.Image:
    """The RGB image in sRGB; the same object if it is in sRGB already. Scale it first: each pixel takes time."""
    linear = image.info.get(_KEY)
    if linear is None:
        return image
    pixels = np.array(image)
    for top in range(0, len(pixels), _BAND_ROWS):  # in bands, because a pixel takes 50 bytes while it is converted
        pixels[top : top + _BAND_ROWS] = _converted(pixels[top : top + _BAND_ROWS], linear)
    return Image.fromarray(pixels)


def _converted(pixels: npt.NDArray[np.uint8], linear: Linear) -> npt.NDArray[np.uint8]:
    # sums of products instead of a matrix product, whose rounding differs from processor to processor
    light = linear[0].take(pixels[..., 0], axis=0)
    light += linear[1].take(pixels[..., 1], axis=0)
    light += linear[2].take(pixels[..., 2], axis=0)
    light *= 65535
    light += 0.5
    levels: npt.NDArray[np.uint8] = _ENCODED.take(np.clip(light, 0, 65535, out=light).astype(np.uint16))
    return levels
