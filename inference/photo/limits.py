"""Which photos are refused before they are decoded, because they would take far more memory or time than a photo does.

Everything here reads only the header. docs/decisions/0055 has the measurements.
"""

from PIL import Image

from inference.memory import MemoryBudget
from inference.photo.errors import PhotoError
from inference.photo.metadata import StrippedImage
from inference.photo.reduction import averaging_factor, draft_factor

MAX_PIXELS = 50_000_000
"""Width x height above which a photo is refused (a 48-megapixel phone fits)."""

MAX_PIXELS_WHOLE = 16_000_000
"""The same for a photo that cannot be scaled while it is decoded, so that memory holds all of it: PNG, WebP,
progressive JPEG. One that takes more memory a pixel may have fewer: 12 megapixels of a coloured PNG, 4 of a WebP."""

MAX_PIXELS_DEEP = 8_000_000
"""The same for a PNG of 16 bits a channel, which takes twice the time."""

DECODING = MemoryBudget(56 * 2**20)
"""Bytes that all photos together may take while they are decoded. One that alone would take more is refused."""

_MAX_ASPECT = 20
"""Longer side over shorter side. A 1 x 65500 strip would be scaled to 256 x 16 million before the crop."""

_MAX_SCANS = 40
_MAX_SCANNED = 240_000_000
"""Scans of a progressive JPEG, and scans x pixels; about ten scans are usual. Each costs a pass over all pixels, and
its sender 40 bytes."""


def check(image: Image.Image, stripped: StrippedImage, memory: int) -> None:
    """Raise PhotoError for an image whose decoding, which takes `memory` bytes, would cost too much."""
    width, height = image.size
    buffered = image.format == "JPEG" and _is_buffered(image, stripped)
    limit = MAX_PIXELS if image.format == "JPEG" and not buffered else MAX_PIXELS_WHOLE
    if image.format == "PNG" and stripped.photo[24] == 16:
        limit = MAX_PIXELS_DEEP
    if memory > DECODING.size:
        of_file = len(stripped.photo)
        limit = min(limit, (DECODING.size - of_file) * width * height // (memory - of_file))
    if width * height > limit:
        raise PhotoError(
            "too_many_pixels",
            f"The photo has {width} x {height} pixels; scale it to at most {limit // 1_000_000} megapixels.",
        )
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise PhotoError(
            "too_narrow",
            f"The photo has {width} x {height} pixels; its longer side may be at most {_MAX_ASPECT} times its shorter "
            "side, so crop it.",
        )
    scans = min(_MAX_SCANS, _MAX_SCANNED // max(width * height, 1)) if buffered else None
    if scans is not None and stripped.photo.count(b"\xff\xda") > scans:
        raise PhotoError("too_many_scans", f"The photo is a JPEG of more than {scans} scans; save it as baseline JPEG.")


def peak_memory(image: Image.Image, stripped: StrippedImage, shorter_side: int) -> int:
    """Bytes that the file and its decoding take at their peak, for a photo wanted at `shorter_side` pixels."""
    pixels, factor = image.width * image.height, averaging_factor(image, shorter_side)
    if image.format == "JPEG":
        factor = draft_factor(image, shorter_side)
    made = 4 / factor**2 * (1 if stripped.orientation == 1 else 2)
    if image.format == "WEBP":
        held = max(12, 4 + 2 * made)  # libwebp's two canvases and the frame; then the frame and its RGB copy
    elif image.format == "PNG":
        held = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4) + made
    else:
        held = 4 / factor**2 + made
        if _is_buffered(image, stripped):
            samples = [across * down for _, across, down, _ in image.layer]  # type: ignore[attr-defined]
            held += 2 * sum(samples) / max(*samples, 1)
    return len(stripped.photo) + round(pixels * held)


def _is_buffered(jpeg: Image.Image, stripped: StrippedImage) -> bool:
    """Whether libjpeg must hold all coefficients before the first row: progressive, or one scan for each colour."""
    return "progressive" in jpeg.info or stripped.components_of_first_scan != jpeg.layers  # type: ignore[attr-defined]
