"""Preprocessing: the bytes of a photo become the network's input. Serving, training and evaluation share it.

It is torchvision's for ImageNet models: the shorter side is scaled to `resize` (bilinear, antialiased), a centred
square of `crop` is cut out, its values are scaled to 0..1 and normalised per channel.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.photo.colour import to_srgb
from inference.photo.decode import decoded

Pixels = npt.NDArray[np.float32]

MAX_RESIZE = 1024
"""Pixels. The largest `resize` that a manifest may ask for: each photo's tensor takes 12 bytes a pixel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """The parameters of preprocessing. The artifact's manifest contains them."""

    resize: int = 256
    """Pixels of the shorter side after scaling."""
    crop: int = 224
    """Pixels of each side of the centred square that the network sees."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Of red, green and blue, in 0..1 (ImageNet's)."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if not 0 < self.crop <= self.resize:
            raise ValueError(
                f"preprocessing.crop ({self.crop}) must be between 1 and preprocessing.resize ({self.resize})."
            )
        if self.resize > MAX_RESIZE:
            raise ValueError(f"preprocessing.resize ({self.resize}) must be at most {MAX_RESIZE} pixels.")

    @classmethod
    def for_size(cls, crop: int) -> "Preprocessing":
        """A centred square of `crop` pixels with the usual margin around it: 224 is cut from 256."""
        return cls(resize=round(crop * 256 / 224), crop=crop)

    def __call__(self, photo: bytes) -> Pixels:
        """Decode, scale, crop, normalise.

        Returns float32 of shape (3, crop, crop). Raises PhotoError for bytes that cannot be decoded as a photo.
        """
        with decoded(photo, self.resize) as image:
            return self.normalise(self.square(image))

    def square(self, image: Image.Image) -> Image.Image:
        """The centred crop x crop square of a decoded photo, in sRGB, as torchvision's Resize and CenterCrop cut it."""
        width, height = image.size
        if width <= height:
            size = (self.resize, int(self.resize * height / width))
        else:
            size = (int(self.resize * width / height), self.resize)
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = round((size[0] - self.crop) / 2), round((size[1] - self.crop) / 2)
        return to_srgb(image.crop((left, top, left + self.crop, top + self.crop)))

    def normalise(self, image: Image.Image) -> Pixels:
        """uint8 RGB image to float32 (3, height, width), zero mean and unit variance over ImageNet."""
        pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
        pixels -= np.asarray(self.mean, dtype=np.float32).reshape(3, 1, 1) * 255
        pixels /= np.asarray(self.std, dtype=np.float32).reshape(3, 1, 1) * 255
        return pixels
