"""Bytes of a photo in, the network's input out: the one pre-processing that serving, training and evaluation share.

The recipe is torchvision's for ImageNet models: shorter side to `resize` (bilinear, antialiased), a centred square of
`crop`, scaled to 0..1, then normalised by channel.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import PIL.WebPImagePlugin  # noqa: F401 - else the first WebP makes Pillow import every decoder it has
from PIL import ExifTags, Image

from inference.errors import RequestError

Pixels = npt.NDArray[np.float32]

FORMATS = ("JPEG", "PNG", "WEBP")
"""The decoders that Pillow may use. Every other one is attack surface without a user."""

MAX_PIXELS = 50_000_000
"""Width x height above which a photo is refused before a byte of it is decoded (a 48-megapixel phone fits)."""

MAX_PIXELS_WHOLE = 25_000_000
"""The same for what cannot be scaled while it is decoded and is therefore held whole: PNG, WebP, progressive JPEG."""

_MAX_ASPECT = 20
"""Longer side over shorter side. A 1 x 65500 strip would be scaled to 256 x 16 million before the crop."""

_MAX_SCANS = 40
"""Of a progressive JPEG; about ten are usual. Each costs a pass over all pixels, and its sender 40 bytes."""

_DRAFT_MARGIN = 2.5
"""A JPEG is scaled while it is decoded to no less than this times the side wanted; bilinear scaling does the rest.
The decoder's filter is not torchvision's: with a margin of 2 some probabilities move by more than 0.02."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice this, and a WebP before it allocates the canvas
# Pillow warns of large images, odd EXIF, bad MPO tables: all judged here. Once for the process, because
# warnings.catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """How a photo becomes the network's input. Travels in the artifact's manifest."""

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

    @classmethod
    def for_size(cls, crop: int) -> "Preprocessing":
        """The usual margin around a centred square of `crop` pixels: 224 is cut from 256."""
        return cls(resize=round(crop * 256 / 224), crop=crop)

    def __call__(self, photo: bytes) -> Pixels:
        """Decode, scale, crop, normalise.

        Returns float32 of shape (3, crop, crop). Raises RequestError (400, 413, 415 or 422) for what is no photo.
        """
        return self.normalise(self.square(decode(photo, shorter_side=self.resize)))

    def square(self, image: Image.Image) -> Image.Image:
        """The centred crop x crop square of an RGB image, as torchvision's Resize and CenterCrop cut it."""
        width, height = image.size
        if width <= height:
            size = (self.resize, int(self.resize * height / width))
        else:
            size = (int(self.resize * width / height), self.resize)
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = round((size[0] - self.crop) / 2), round((size[1] - self.crop) / 2)
        return image.crop((left, top, left + self.crop, top + self.crop))

    def normalise(self, image: Image.Image) -> Pixels:
        """uint8 RGB image to float32 (3, height, width), zero mean and unit variance over ImageNet."""
        pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")
        pixels -= np.asarray(self.mean, dtype=np.float32).reshape(3, 1, 1) * 255
        pixels /= np.asarray(self.std, dtype=np.float32).reshape(3, 1, 1) * 255
        return pixels


def decode(photo: bytes, *, shorter_side: int) -> Image.Image:
    """Bytes to an upright RGB image whose shorter side is at least `shorter_side` where the photo has that many pixels.

    A large JPEG is scaled while it is decoded (libjpeg's DCT scaling), which makes it several times cheaper.
    Raises RequestError: 400 for no bytes, 413 for too many pixels, 415 for another format, 422 for a broken photo.
    """
    if not photo:
        raise RequestError(400, "empty", "The photo has no bytes; send a JPEG, PNG or WebP file.")
    if not (photo.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or photo[:4] + photo[8:12] == b"RIFFWEBP"):
        raise RequestError(
            415, "not_a_photo", "The bytes are not a JPEG, PNG or WebP photo; convert it to one of these."
        )
    image = _guarded(lambda: Image.open(io.BytesIO(photo), formats=FORMATS))
    _check_work(image, photo)
    return _guarded(lambda: _upright_rgb(image, shorter_side))


def _upright_rgb(image: Image.Image, shorter_side: int) -> Image.Image:
    width, height = image.size
    kept = shorter_side * _DRAFT_MARGIN / min(width, height)
    if kept < 1:
        image.draft("RGB", (round(width * kept), round(height * kept)))  # does nothing but to a JPEG
    image.load()
    with contextlib.suppress(Exception):  # metadata that cannot be read turns nothing
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        if orientation in _UPRIGHT:
            image = image.transpose(_UPRIGHT[orientation])
    if image.mode.startswith("I"):  # 16-bit greyscale: Pillow's own conversion clips to white
        image = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")  # Pillow's convert would copy what is RGB already


def _check_work(image: Image.Image, photo: bytes) -> None:
    """Refuse what would take far more memory or time than a photo does. Reads the header alone."""
    width, height = image.size
    jpeg, progressive = image.format in ("JPEG", "MPO"), "progressive" in image.info
    limit = MAX_PIXELS if jpeg and not progressive else MAX_PIXELS_WHOLE
    if width * height > limit:
        raise RequestError(
            413,
            "too_many_pixels",
            f"The photo has {width} x {height} pixels; scale it to at most {limit // 1_000_000} megapixels.",
        )
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise RequestError(
            422,
            "too_narrow",
            f"The photo is a strip of {width} x {height} pixels; its sides may differ by a factor of {_MAX_ASPECT}.",
        )
    if progressive and photo.count(b"\xff\xda") > _MAX_SCANS:
        raise RequestError(
            422, "too_many_scans", f"The photo is a JPEG of more than {_MAX_SCANS} scans; save it as a baseline JPEG."
        )


def _guarded(read: Callable[[], Image.Image]) -> Image.Image:
    """Run one of Pillow's readers; whatever it raises over bad bytes is the caller's 4xx.

    Pillow's decoders raise far more than OSError (SyntaxError, ValueError, struct.error, ...), so the net is wide.
    """
    try:
        return read()
    except (Image.DecompressionBombError, MemoryError) as error:
        raise RequestError(
            413, "too_many_pixels", "The photo has too many pixels to be decoded; scale it down."
        ) from error
    except Exception as error:
        raise RequestError(
            422, "broken_photo", "The photo is damaged or cut off and cannot be decoded; send it again."
        ) from error
