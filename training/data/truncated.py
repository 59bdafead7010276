"""JPEGs that end too early, as one photo of the course's does: most of such a photo can still be learnt from.

Serving refuses them, and so do `valid` and `test`, which measure what serving does. Pillow's own switch for them
(ImageFile.LOAD_TRUNCATED_IMAGES) is one for the process and all its threads. What it does is to add the marker that
ends a JPEG, so that is done here, to the one photo that needs it.
"""

import numpy as np
from PIL import Image

from inference.photo.decode import decode
from inference.photo.errors import PhotoError

LEAST_SHOWN = 0.5
"""Share of the pixels that must be there. A photo that is mostly grey teaches grey."""

_END_OF_IMAGE = b"\xff\xd9"
_FILLING = 128  # libjpeg's value, in every channel, of a pixel that never came


def decode_truncated(photo: bytes, *, shorter_side: int) -> tuple[Image.Image, float]:
    """The RGB image of a JPEG that is cut off, the rest of it grey, and the share of its pixels that are there.

    Raises PhotoError where it cannot be decoded even so, or shows less than LEAST_SHOWN.
    """
    image = decode(photo + _END_OF_IMAGE, shorter_side=shorter_side)
    shown = 1 - float((np.asarray(image) == _FILLING).all(axis=2).mean())
    if shown < LEAST_SHOWN:
        raise PhotoError(
            "broken_photo", f"The photo is cut off: {shown:.0%} of it is there, and {LEAST_SHOWN:.0%} is needed."
        )
    return image, shown
