"""What `kennel data check` measures of each photo."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ops.data.near_duplicates import Fingerprint, fingerprint
from training.data.dataset import DataSet, Photo
from training.data.reading import read

CHECKED_SIDE = 96
"""Pixels of the shorter side to which photos are scaled for the check."""
_GREY = 8
"""Largest difference of red, green and blue, of 255, in a greyscale photo; JPEG does not keep them exactly equal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Properties of one usable photo."""

    name: str
    """split/breed/file"""
    label: int
    """Index into DataSet.labels."""
    shorter_side: int
    """Pixels, in the file."""
    is_grey: bool
    sha256: str
    """Of the file."""
    fingerprint: Fingerprint

    @property
    def split(self) -> str:
        return self.name.partition("/")[0]


def measure(data: DataSet, photo: Photo) -> Measured | None:
    """Decode and measure one photo; None for an unusable one, which is then in `data.skipped`."""
    image = read(data, photo, shorter_side=CHECKED_SIDE)
    if image is None:
        return None
    content = photo.path.read_bytes()
    with Image.open(io.BytesIO(content)) as header:
        shorter_side = min(header.size)
    image = scaled(image)
    channels = np.asarray(image, dtype=np.int16)
    difference = channels.max(axis=2) - channels.min(axis=2)
    return Measured(
        name=data.name(photo),
        label=photo.label,
        shorter_side=shorter_side,
        is_grey=bool(np.percentile(difference, 99) <= _GREY),
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=fingerprint(image),
    )


def scaled(image: Image.Image) -> Image.Image:
    """A copy of at most twice CHECKED_SIDE pixels a side."""
    image = image.copy()
    image.thumbnail((2 * CHECKED_SIDE, 2 * CHECKED_SIDE), Image.Resampling.BILINEAR)
    return image
