"""Decoding: the bytes of a photo from anywhere become an upright RGB image, within limits of memory and time."""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile  # else the first WebP makes Pillow import every decoder it has

from inference.photo import colour, limits, reduction, transparency
from inference.photo.errors import PhotoError
from inference.photo.file_types import file_type, refusal
from inference.photo.metadata import StrippedImage, orientation_of, without_metadata

FORMATS = ("JPEG", "PNG", "WEBP")
"""The decoders that Pillow may use. Every other one is attack surface without a user."""

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is one for all forms; those of inference/photo/limits.py come first
# Pillow warns about large images, odd EXIF and bad MPO tables, all of which are checked here. Filtered once for the
# process, because warnings.catch_warnings is not safe in threads.
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
"""The transposition that undoes each EXIF orientation."""


def decode(photo: bytes, *, shorter_side: int) -> Image.Image:
    """Bytes to an upright RGB image whose shorter side is at least `shorter_side` where the photo has that many pixels.

    Its values are in the photo's own colour space; `colour.to_srgb` converts the image once it is scaled.
    A large JPEG is scaled while it is decoded, which makes decoding several times cheaper; a large PNG or WebP is
    averaged down right after it.
    Raises PhotoError for no bytes, another format, a broken photo, and one that takes too much memory or time.
    """
    with decoded(photo, shorter_side) as image:
        return image


@contextmanager
def decoded(photo: bytes, shorter_side: int) -> Iterator[Image.Image]:
    """The image that `decode` returns. Its memory counts against the budget of all photos until the block ends."""
    if not photo:
        raise PhotoError("empty", "The photo has no bytes; send a JPEG, PNG or WebP file.")
    if not file_type(photo).is_decoded:
        raise PhotoError("not_a_photo", refusal(photo))
    stripped = without_metadata(photo)
    if stripped.canvas:  # of a WebP: Pillow allocates it while it opens the file
        limits.check(stripped.canvas, limits.cost_of_webp(stripped.canvas, shorter_side), photo)
    image = _guarded(lambda: Image.open(io.BytesIO(stripped.photo), formats=FORMATS))
    cost = limits.cost_of(image, stripped, shorter_side)
    limits.check(image.size, cost, stripped.photo)
    with limits.DECODING.hold(cost.memory(image.size, len(stripped.photo))):
        yield _guarded(lambda: _upright_rgb(image, shorter_side, stripped))


def _upright_rgb(image: Image.Image, shorter_side: int, stripped: StrippedImage) -> Image.Image:
    orientation, convert = stripped.orientation, colour.conversion(image.mode, stripped.profile)
    factor = reduction.averaging_factor(image.format, image.size, shorter_side)
    reduction.draft(image, shorter_side)
    if isinstance(image, WebPImageFile):
        orientation = orientation_of(image.info.get("exif", b""))
        image = _first_frame(image)
    image.load()
    hidden = stripped.transparent
    low = transparency.low_bytes(stripped.photo) if hidden and hidden.needs_low_bytes else None
    image = reduction.averaged_rgb(image, factor, hidden, low)
    colour.attach(image, convert)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _first_frame(photo: WebPImageFile) -> Image.Image:
    """The first frame, without the two canvases and the copy that Pillow keeps for the next one: 4 bytes a pixel."""
    mode, size, frame = photo.rawmode, photo.size, photo._get_next()[0]
    photo._decoder = None
    return Image.frombuffer(mode, size, frame, "raw", mode, 0, 1)


def _guarded(read: Callable[[], Image.Image]) -> Image.Image:
    """Run one of Pillow's readers, and raise PhotoError for whatever it raises over bad bytes.

    Pillow's decoders raise far more than OSError (SyntaxError, ValueError, struct.error, ...).
    """
    try:
        return read()
    except MemoryError as error:
        raise PhotoError("too_many_pixels", "The photo needs more memory than is free; scale it down.") from error
    except Exception as error:
        raise PhotoError(
            "broken_photo", "The photo is damaged or cut off and cannot be decoded; copy or download it again."
        ) from error
