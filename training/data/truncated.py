"""Truncated JPEGs, such as one in the course's data set: most of such a photo is still useful for training.

Serving refuses them, and so do `valid` and `test`, which measure what serving does. Pillow's option for them,
ImageFile.LOAD_TRUNCATED_IMAGES, applies to all threads of the process. It appends the end marker of a JPEG, so this
module does the same, for one photo at a time.
"""

import numpy as np
from PIL import Image

from inference.photo.decode import decode
from inference.photo.errors import PhotoError

LEAST_SHOWN = 0.5
"""Smallest share of the pixels that must be present. The rest is grey, and the network would learn the grey."""

_END_OF_IMAGE = b"\xff\xd9"
_FILLING = 128  # libjpeg's value, in every channel, for a missing pixel


def decode_truncated(photo: bytes, *, shorter_side: int) -> tuple[Image.Image, float]:
    """Decode a truncated JPEG. Returns the RGB image, missing pixels grey, and the share of pixels that are present.

    Raises PhotoError if it cannot be decoded, or if less than LEAST_SHOWN is present.
    """
    image = decode(photo + _END_OF_IMAGE, shorter_side=shorter_side)
    shown = 1 - float((np.asarray(image) == _FILLING).all(axis=2).mean())
    if shown < LEAST_SHOWN:
        raise PhotoError(
            "broken_photo", f"The photo is cut off: it shows {shown:.0%}, and at least {LEAST_SHOWN:.0%} is needed."
        )
    return image, shown
