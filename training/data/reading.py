"""Read photos into memory: as serving sees them, or whole. Broken ones are recorded in the data set and skipped."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.photo.colour import to_srgb
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from inference.photo.file_types import JPEG, file_type
from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataSet, Photo
from training.data.truncated import decode_truncated

Square = npt.NDArray[np.uint8]


def read(data: DataSet, photo: Photo, *, shorter_side: int) -> Image.Image | None:
    """Decode one photo to RGB. Returns None for a photo that cannot be used, and records it in `data.skipped`.

    A truncated training photo is used, and recorded in `data.truncated`.
    """
    name = data.name(photo)
    try:
        content = photo.path.read_bytes()
        try:
            return decode(content, shorter_side=shorter_side)
        except PhotoError as error:
            if error.kind != "broken_photo" or not name.startswith("train/") or file_type(content) is not JPEG:
                raise
        image, shown = decode_truncated(content, shorter_side=shorter_side)
    except PhotoError as error:
        data.skipped[name] = error.message
    except OSError as error:
        data.skipped[name] = f"The file cannot be read ({error.strerror})."
    else:
        data.truncated[name] = f"{shown:.0%} of the photo is present, and is used for training."
        return image
    return None


def read_square(data: DataSet, photo: Photo, preprocessing: Preprocessing) -> Square | None:
    """A photo preprocessed as in serving, before normalisation: uint8 (crop, crop, 3), or None if it cannot be used."""
    image = read(data, photo, shorter_side=preprocessing.resize)
    return None if image is None else np.array(preprocessing.square(image))


def read_whole(data: DataSet, photo: Photo, *, shorter_side: int) -> Square | None:
    """The whole photo, scaled down to `shorter_side` if it is larger: uint8 (height, width, 3), or None."""
    image = read(data, photo, shorter_side=shorter_side)
    if image is None:
        return None
    scale = shorter_side / min(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.array(to_srgb(image))
