"""What is measured of a photo without the model: brightness, and how many of the pixels it has that the model uses.

Both are the same for a photo as a camera wrote it and for the smaller copy that a web page sends, so a caller who
scales photos down before sending causes no drift (docs/decisions/0119).
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from inference.photo.decode import FORMATS, decoded
from inference.photo.metadata import without_metadata
from inference.photo.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True, slots=True)
class Appearance:
    """Of one photo."""

    brightness: float
    """Mean luminance, 0 (black) to 1 (white), of the square that the model sees, in sRGB (ITU-R BT.601's weights)."""
    shorter_side: int
    """Pixels, as sent. The same whichever way the camera was held."""


def appearance(photo: bytes, preprocessing: Preprocessing) -> Appearance:
    """Measure the bytes of a photo. Raises PhotoError for bytes that cannot be decoded as a photo."""
    with decoded(photo, preprocessing.resize) as image:
        luminance = preprocessing.square(image).convert("L")
    with Image.open(io.BytesIO(without_metadata(photo).photo), formats=FORMATS) as header:
        shorter_side = min(header.size)  # decoding may have scaled the image
    return Appearance(brightness=float(np.asarray(luminance).mean()) / 255, shorter_side=shorter_side)
