"""Colours: the values of an image in another colour space become sRGB's.

The network was trained on sRGB. A phone's Display P3 or a camera's Adobe RGB has paler colours if its values are taken
for those of sRGB. The conversion is a 3 x 3 matrix in linear light, or a formula for the inks of a press, on the scaled
image, where it takes a millisecond or two.
docs/decisions/0095 has the measurements.
"""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.photo.icc import Linear, linear_srgb
from inference.photo.press import printed

Conversion = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
"""From (height, width, 3) levels to those of sRGB."""

_KEY = "to_srgb"  # of Image.info, which Pillow's resize, crop and transpose keep

_SAME_WITHIN = 3
"""Levels. A space that differs from sRGB by no more than this is sRGB, and its photos are not changed at all: the many
profiles of sRGB round its primaries and its curve in different ways."""


def _encoding() -> npt.NDArray[np.uint8]:
    """sRGB's curve (IEC 61966-2-1): linear light in 1/65535 to a level of 8 bits."""
    light = np.arange(65536) / 65535
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(curve * 255).astype(np.uint8)


_BAND_ROWS = 32
_REMEMBERED_BYTES = 32 * 1024
"""Most photos have one of a few profiles. What the last 16 of up to this size mean is remembered, in 0.6 MB at most."""

_ENCODED = _encoding()
_GRID = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1)


def conversion(mode: str, profile: bytes) -> Conversion | None:
    """How an image of this mode of Pillow's, with this profile, becomes sRGB. None: its values are left alone."""
    if mode == "CMYK":
        return printed if profile[16:20] == b"CMYK" else None
    space = b"RGB " if mode in ("RGB", "RGBA", "P") else b"GRAY"
    return _remembered(profile, space) if len(profile) <= _REMEMBERED_BYTES else _of_profile(profile, space)


def _of_profile(profile: bytes, space: bytes) -> Conversion | None:
    linear = linear_srgb(profile, space)
    if linear is None or np.abs(_converted(_GRID, linear).astype(int) - _GRID).max() <= _SAME_WITHIN:
        return None
    return functools.partial(_converted, linear=linear)


_remembered = functools.lru_cache(maxsize=16)(_of_profile)


def attach(image: Image.Image, convert: Conversion | None) -> None:
    """Note how the values of the RGB `image` become sRGB's, for `to_srgb`."""
    image.info.pop(_KEY, None)
    if convert:
        image.info[_KEY] = convert


def to_srgb(image: Image.Image) -> Image.Image:
    """The RGB image in sRGB; the same object if it is in sRGB already. Scale it first: each pixel takes time."""
    convert = image.info.get(_KEY)
    if convert is None:
        return image
    pixels = np.array(image)
    for top in range(0, len(pixels), _BAND_ROWS):  # in bands, because a pixel takes 50 to 100 bytes meanwhile
        pixels[top : top + _BAND_ROWS] = convert(pixels[top : top + _BAND_ROWS])
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
