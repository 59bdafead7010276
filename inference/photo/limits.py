"""Which photos are refused before they are decoded, because they would take far more memory or time than a photo does.

Everything here reads only the header. docs/decisions/0055 has the measurements.
"""

from dataclasses import dataclass

from PIL import Image

from inference.memory import MemoryBudget
from inference.photo.errors import PhotoError
from inference.photo.metadata import StrippedImage
from inference.photo.reduction import averaging_factor, draft_factor

MAX_PIXELS = 250_000_000
"""Width x height above which a baseline JPEG is refused: 0.1 to 0.3 s of a core, and 31 MB if it has to be rotated.
Cameras of 2026 write up to 200 million (phones), 151 million (medium format) and 134 million (panoramas of drones)."""

MAX_PIXELS_WHOLE = 16_000_000
"""The same for a photo that cannot be scaled while it is decoded, so that memory holds all of it: PNG, WebP,
progressive JPEG. One that takes more memory a pixel may have fewer: 12 megapixels of a coloured PNG, 4 of a WebP."""

MAX_PIXELS_DEEP = 8_000_000
"""The same for a PNG of 16 bits a channel, which takes twice the time."""

PHOTO_BYTES = 56 * 2**20
"""What one photo may take while it is decoded. One that would take more is refused."""

DECODING = MemoryBudget(PHOTO_BYTES)
"""What all photos together may take. The server keeps to the memory of one photo at its limit; see `decode_on`."""

_OF_FILE = 6 * 2**20
"""The part of it that the file of a request may have. A larger file, which only training and the commands read, counts
for no more than PHOTO_BYTES."""

_MAX_ASPECT = 20
"""Longer side over shorter side. A 1 x 65500 strip would be scaled to 256 x 16 million before the crop."""

_MAX_SCANS = 40
_MAX_SCANNED = 240_000_000
"""Scans of a progressive JPEG, and scans x pixels; about ten scans are usual. Each costs a pass over all pixels, and
its sender 40 bytes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one photo takes while it is decoded."""

    form: str
    """What a sentence calls such a photo."""
    max_pixels: int
    """Limit on the pixels, from the time that one takes."""
    bytes_per_pixel: float
    """At the peak, beside the file."""
    is_buffered: bool = False
    """Whether libjpeg holds all coefficients before the first row."""

    def memory(self, size: tuple[int, int], of_file: int) -> int:
        """Bytes to hold of DECODING for a photo of `size` pixels in a file of `of_file` bytes."""
        return min(of_file + round(size[0] * size[1] * self.bytes_per_pixel), PHOTO_BYTES)


def decode_on(threads: int) -> None:
    """Give this many threads memory to decode at the same time: half of PHOTO_BYTES each, enough for most photos.

    For training and the commands, on hosts with gigabytes for each core. Photos of a camera would wait for each other
    otherwise: 8 JPEGs of 12 megapixels take the 56 MiB of the server.
    """
    DECODING.raise_to(threads * PHOTO_BYTES // 2)


def cost_of_webp(size: tuple[int, int], shorter_side: int) -> Cost:
    """Of a WebP, from the size in its header, because Pillow allocates its canvases as soon as it opens one."""
    made = 4 / averaging_factor("WEBP", size, shorter_side) ** 2
    # libwebp's two canvases and the frame; then the frame and its RGB copy, twice if it is rotated
    return Cost("WebP", MAX_PIXELS_WHOLE, max(12, 4 + 2 * made))


def cost_of(image: Image.Image, stripped: StrippedImage, shorter_side: int) -> Cost:
    """Of a photo that Pillow has opened and not yet decoded, wanted at `shorter_side` pixels."""
    if image.format == "WEBP":
        return cost_of_webp(image.size, shorter_side)
    turned = 1 if stripped.orientation == 1 else 2
    if image.format == "PNG":
        made = turned * 4 / averaging_factor("PNG", image.size, shorter_side) ** 2
        held: float = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4)
        if stripped.photo[24] != 16:
            return Cost(f"PNG of {_colours(image)}", MAX_PIXELS_WHOLE, held + made)
        twice = 2 if stripped.transparent and stripped.transparent.needs_low_bytes else 1
        return Cost("PNG of 16 bits a channel", MAX_PIXELS_DEEP // twice, twice * held + made)
    copies = turned if image.mode == "RGB" else turned + 1  # another mode is converted
    scaled = copies * 4 / draft_factor(image, shorter_side) ** 2
    if not _is_buffered(image, stripped):
        return Cost("JPEG", MAX_PIXELS, scaled)
    samples = [across * down for _, across, down, _ in image.layer]  # type: ignore[attr-defined]
    form = "progressive JPEG" if "progressive" in image.info else "JPEG with a scan for each colour"
    return Cost(form, MAX_PIXELS_WHOLE, scaled + 2 * sum(samples) / max(*samples, 1), is_buffered=True)


def _colours(png: Image.Image) -> str:
    return "one byte a pixel" if png.mode in ("1", "L", "P") else "several channels"


def _is_buffered(jpeg: Image.Image, stripped: StrippedImage) -> bool:
    """Whether libjpeg must hold all coefficients before the first row: progressive, or one scan for each colour."""
    return "progressive" in jpeg.info or stripped.components_of_first_scan != jpeg.layers  # type: ignore[attr-defined]


def check(size: tuple[int, int], cost: Cost, photo: bytes) -> None:
    """Raise PhotoError for a photo whose decoding would cost too much."""
    width, height = size
    limit = min(cost.max_pixels, int((PHOTO_BYTES - _OF_FILE) / cost.bytes_per_pixel))
    if width * height > limit:
        remedy = "" if cost.form == "JPEG" else f", or save it as a baseline JPEG of at most {_megapixels(MAX_PIXELS)}"
        raise PhotoError(
            "too_many_pixels",
            f"The photo has {width} x {height} pixels, and a {cost.form} may have at most {_megapixels(limit)}; "
            f"scale it down{remedy}.",
        )
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise PhotoError(
            "too_narrow",
            f"The photo has {width} x {height} pixels; its longer side may be at most {_MAX_ASPECT} times its shorter "
            "side, so crop it.",
        )
    scans = min(_MAX_SCANS, _MAX_SCANNED // max(width * height, 1)) if cost.is_buffered else None
    if scans is not None and photo.count(b"\xff\xda") > scans:
        raise PhotoError("too_many_scans", f"The photo is a JPEG of more than {scans} scans; save it as baseline JPEG.")


def _megapixels(pixels: int) -> str:
    return f"{pixels // 100_000 / 10:g} megapixels"
