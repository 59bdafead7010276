"""Bytes of a photo in, the network's input out: the one pre-processing that serving, training and evaluation share.

The recipe is torchvision's for ImageNet models: shorter side to `resize` (bilinear, antialiased), a centred square of
`crop`, scaled to 0..1, then normalised by channel.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile  # else the first WebP makes Pillow import every decoder it has

from inference.errors import RequestError
from inference.memory import MemoryBudget
from inference.photo.metadata import JPEG, PNG, Bare, orientation_of, without_metadata

Pixels = npt.NDArray[np.float32]

FORMATS = ("JPEG", "PNG", "WEBP")
"""The decoders that Pillow may use. Every other one is attack surface without a user."""

MAX_PIXELS = 50_000_000
"""Width x height above which a photo is refused before a byte of it is decoded (a 48-megapixel phone fits)."""

MAX_PIXELS_WHOLE = 16_000_000
"""The same for what cannot be scaled while it is decoded and is therefore held whole: PNG, WebP, progressive JPEG.
What takes more memory a pixel may have fewer: 12 megapixels of a coloured PNG, 4 of a WebP (docs/decisions/0055)."""

DECODING = MemoryBudget(56 * 2**20)
"""Bytes that all photos may take together while they are decoded; one that would take more alone is refused."""

MAX_RESIZE = 1024
"""The most that a manifest may ask each photo to be scaled to: its tensor takes 12 bytes a pixel."""

_MAX_ASPECT = 20
"""Longer side over shorter side. A 1 x 65500 strip would be scaled to 256 x 16 million before the crop."""

MAX_PIXELS_DEEP = 8_000_000
"""The same for a PNG of 16 bits a channel, which takes twice the time."""

_MAX_SCANS = 40
_MAX_SCANNED = 240_000_000
"""Scans of a progressive JPEG, and scans x pixels; about ten scans are usual. Each costs a pass over all pixels, and
its sender 40 bytes."""

_DRAFT_MARGIN = 2.5
"""A JPEG is scaled while it is decoded to no less than this times the side wanted; bilinear scaling does the rest.
The decoder's filter is not torchvision's: with a margin of 2 some probabilities move by more than 0.02."""

_EXACT_PIXELS = 4_000_000
"""Up to so many, what is decoded whole is scaled exactly as torchvision does. Above, its pixels are averaged first."""

_REDUCED_MARGIN = 2
"""They are averaged to no less than this times the side wanted, which Pillow calls a reducing gap."""

_BAND_ROWS = 64
"""A photo that is held whole is brought to RGB so many rows at a time: no second one of its size is ever made."""

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
        if self.resize > MAX_RESIZE:
            raise ValueError(f"preprocessing.resize ({self.resize}) must be at most {MAX_RESIZE} pixels.")

    @classmethod
    def for_size(cls, crop: int) -> "Preprocessing":
        """The usual margin around a centred square of `crop` pixels: 224 is cut from 256."""
        return cls(resize=round(crop * 256 / 224), crop=crop)

    def __call__(self, photo: bytes) -> Pixels:
        """Decode, scale, crop, normalise.

        Returns float32 of shape (3, crop, crop). Raises RequestError (400, 413, 415 or 422) for what is no photo.
        """
        with _decoded(photo, self.resize) as image:
            return self.normalise(self.square(image))

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

    A large JPEG is scaled while it is decoded (libjpeg's DCT scaling), which makes it several times cheaper; a large
    PNG or WebP is averaged down right after it.
    Raises RequestError: 400 for no bytes, 413 for too many pixels, 415 for another format, 422 for a broken photo.
    """
    with _decoded(photo, shorter_side) as image:
        return image


@contextmanager
def _decoded(photo: bytes, shorter_side: int) -> Iterator[Image.Image]:
    """What `decode` returns, for a block that is over before other photos may have its memory."""
    if not photo:
        raise RequestError(400, "empty", "The photo has no bytes; send a JPEG, PNG or WebP file.")
    if not (photo.startswith((JPEG, PNG)) or photo[:4] + photo[8:12] == b"RIFFWEBP"):
        raise RequestError(
            415, "not_a_photo", "The bytes are not a JPEG, PNG or WebP photo; convert it to one of these."
        )
    bare = without_metadata(photo)
    image = _guarded(lambda: Image.open(io.BytesIO(bare.photo), formats=FORMATS))
    memory = _memory(image, bare, shorter_side)
    _check_work(image, bare, memory)
    with DECODING.hold(memory):
        yield _guarded(lambda: _upright_rgb(image, shorter_side, bare.orientation))


def _upright_rgb(image: Image.Image, shorter_side: int, orientation: int) -> Image.Image:
    width, height = image.size
    factor, kept = _factor(image, shorter_side), shorter_side * _DRAFT_MARGIN / min(width, height)
    if kept < 1:
        image.draft("RGB", (round(width * kept), round(height * kept)))  # does nothing but to a JPEG
    if isinstance(image, WebPImageFile):
        orientation = orientation_of(image.info.get("exif", b""))
        image = _first_frame(image)
    image.load()
    image = _reduced_rgb(image, factor)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _first_frame(photo: WebPImageFile) -> Image.Image:
    """The first frame, without the two canvases and the copy that Pillow keeps of it for the next: 4 bytes a pixel."""
    mode, size, frame = photo.rawmode, photo.size, photo._get_next()[0]
    photo._decoder = None
    return Image.frombuffer(mode, size, frame, "raw", mode, 0, 1)


def _reduced_rgb(image: Image.Image, factor: int) -> Image.Image:
    """RGB on white, each `factor` x `factor` pixels averaged to one."""
    if image.mode == "RGB" and factor == 1 and not image.has_transparency_data:
        return image
    width, height = image.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(_BAND_ROWS // factor, 1) * factor
    for top in range(0, height, rows):
        band = _rgb(image.crop((0, top, width, min(top + rows, height))))
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
    return image if image.mode == "RGB" else image.convert("RGB")  # Pillow's convert would copy what is RGB already


def _factor(image: Image.Image, shorter_side: int) -> int:
    """How many pixels of each side are averaged to one after decoding: of a JPEG, whose decoder scales, only one."""
    if image.format == "JPEG" or image.width * image.height <= _EXACT_PIXELS:
        return 1
    return max(1, int(min(image.size) / (shorter_side * _REDUCED_MARGIN)))


def _check_work(image: Image.Image, bare: Bare, memory: int) -> None:
    """Refuse what would take far more memory or time than a photo does. Reads the header alone."""
    width, height = image.size
    collected = image.format == "JPEG" and _is_collected(image, bare)
    limit = MAX_PIXELS if image.format == "JPEG" and not collected else MAX_PIXELS_WHOLE
    if image.format == "PNG" and bare.photo[24] == 16:
        limit = MAX_PIXELS_DEEP
    if memory > DECODING.size:
        limit = min(limit, (DECODING.size - len(bare.photo)) * width * height // (memory - len(bare.photo)))
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
    scans = min(_MAX_SCANS, _MAX_SCANNED // max(width * height, 1)) if collected else None
    if scans is not None and bare.photo.count(b"\xff\xda") > scans:
        raise RequestError(
            422, "too_many_scans", f"The photo is a JPEG of more than {scans} scans; save it as a baseline JPEG."
        )


def _is_collected(jpeg: Image.Image, bare: Bare) -> bool:
    """Whether libjpeg must hold all coefficients before the first row: progressive, or a scan for each colour."""
    return "progressive" in jpeg.info or bare.components_of_first_scan != jpeg.layers  # type: ignore[attr-defined]


def _memory(image: Image.Image, bare: Bare, shorter_side: int) -> int:
    """Bytes that decoding takes at its peak, besides the photo's own. docs/decisions/0055 has what was measured."""
    pixels, factor = image.width * image.height, _factor(image, shorter_side)
    if image.format == "JPEG":
        kept = shorter_side * _DRAFT_MARGIN
        factor = max(scale for scale in (1, 2, 4, 8) if scale == 1 or scale * kept <= min(image.size))
    made = 4 / factor**2 * (1 if bare.orientation == 1 else 2)
    if image.format == "WEBP":
        held = max(12, 4 + 2 * made)  # libwebp's two canvases and the frame; then the frame and what is made of it
    elif image.format == "PNG":
        held = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4) + made
    else:
        held = 4 / factor**2 + made
        if _is_collected(image, bare):
            samples = [across * down for _, across, down, _ in image.layer]  # type: ignore[attr-defined]
            held += 2 * sum(samples) / max(*samples, 1)
    return len(bare.photo) + round(pixels * held)


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
