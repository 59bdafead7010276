"""Photos of phones and browsers are decoded. Other files are refused, with little memory and time."""

import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from inference.photo.file_types import file_type
from inference.photo.metadata import orientation_of
from tests.builders import any_photo, detailed, encoded
from tests.security.mutations import mutated

RED = (200, 40, 40)

# pytest replaces the warning filters of inference.photo.decode by its own
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def pixels(photo: bytes) -> np.ndarray[Any, Any]:
    image = decode(photo, shorter_side=4096)  # large enough that no JPEG is scaled
    assert image.mode == "RGB"
    return np.asarray(image, dtype=np.int16)


def assert_shows(photo: bytes, image: Image.Image, *, within: int = 0) -> None:
    expected = np.asarray(image.convert("RGB"), dtype=np.int16)
    found = pixels(photo)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= within


def refusal(photo: bytes) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        decode(photo, shorter_side=256)
    assert caught.value.message.endswith(".")
    return caught.value


# -- photos of every kind --------------------------------------------------------------------------------------------

CORNERS = Image.new("RGB", (80, 48))
for place, corner in (((0, 0), "red"), ((40, 0), "green"), ((0, 24), "blue"), ((40, 24), "white")):
    CORNERS.paste(corner, (*place, place[0] + 40, place[1] + 24))

TURNED = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270],
    8: [Image.Transpose.ROTATE_270],
}
"""How a camera with this orientation records an upright scene (table in the EXIF standard)."""


def exif(orientation: object) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_photo_is_rotated_upright_by_its_exif(format: str, orientation: int) -> None:
    recorded = CORNERS
    for turn in TURNED[orientation]:
        recorded = recorded.transpose(turn)
    lossless: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "PNG": {},
        "WEBP": {"lossless": True},
    }

    assert_shows(encoded(recorded, format, exif=exif(orientation), **lossless[format]), CORNERS, within=4)


def test_a_photo_that_is_scaled_while_decoded_is_rotated_upright_too() -> None:
    large = CORNERS.resize((1600, 960), Image.Resampling.NEAREST).transpose(Image.Transpose.ROTATE_90)
    image = decode(encoded(large, "JPEG", exif=exif(6)), shorter_side=48)
    assert image.width > image.height
    assert np.abs(np.asarray(image, dtype=int)[5, 5] - [255, 0, 0]).max() < 5


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_undefined_orientation_is_ignored(orientation: int) -> None:
    assert_shows(encoded(CORNERS, "PNG", exif=exif(orientation)), CORNERS)


def test_unreadable_metadata_is_ignored() -> None:
    garbled = PngImagePlugin.PngInfo()
    garbled.add_text("Raw profile type exif", "\nexif\n 4\nzzzz")
    assert_shows(encoded(CORNERS, "PNG", pnginfo=garbled), CORNERS)
    for block in (b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff"):
        pixels(encoded(CORNERS, "JPEG", exif=block))


def test_no_tags_are_looked_for_beyond_the_end_of_the_metadata() -> None:
    """A file can have thousands of blocks that announce 65,535 tags. Each tag that is looked at is a call or more."""
    calls: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: calls.update([event]))
    try:
        orientation_of(b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 0xFFFF))
    finally:
        sys.setprofile(None)
    assert calls["c_call"] < 20


@pytest.mark.parametrize("mode", ["L", "1"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_grey_and_black_and_white_photos_are_read(mode: str, format: str) -> None:
    image = detailed((40, 30)).convert(mode)
    if format == "PNG":
        assert_shows(encoded(image, format), image)
    else:
        assert pixels(encoded(image, format)).shape == (30, 40, 3)


def test_a_cmyk_photo_keeps_its_colours() -> None:
    image = Image.new("RGB", (40, 30), RED)
    assert_shows(encoded(image.convert("CMYK"), "JPEG", quality=100), image, within=3)


def test_a_palette_photo_keeps_its_colours() -> None:
    image = detailed((40, 30)).quantize(32)
    assert_shows(encoded(image, "PNG"), image)


def test_sixteen_bits_a_channel_become_eight() -> None:
    grey = np.arange(40 * 30, dtype=np.uint16).reshape(30, 40) * 54
    assert_shows(encoded(Image.fromarray(grey), "PNG"), Image.fromarray((grey >> 8).astype(np.uint8)))

    colour = png(2, 1, struct.pack(">B6H", 0, 0xC812, 0x2834, 0x2856, 0, 0xFFFF, 0x8000), depth=16)
    # exact: pixels are whole numbers and are not scaled here
    assert pixels(colour).tolist() == [[[0xC8, 0x28, 0x28], [0, 0xFF, 0x80]]]


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_transparent_pixels_are_blended_with_white(format: str) -> None:
    image = Image.new("RGBA", (40, 30), (*RED, 255))
    image.paste((*RED, 0), (0, 0, 10, 30))
    image.paste((*RED, 128), (10, 0, 20, 30))
    found = pixels(encoded(image, format, **({"lossless": True, "exact": True} if format == "WEBP" else {})))

    # exact: pixels are whole numbers and are not scaled here
    assert found[15, 5].tolist() == [255, 255, 255]
    assert np.abs(found[15, 15] - [227, 147, 147]).max() <= 1
    # exact: pixels are whole numbers and are not scaled here
    assert found[15, 35].tolist() == list(RED)


@pytest.mark.parametrize(
    ("image", "transparency"),
    [
        (Image.new("LA", (20, 20), (0, 0)), None),
        (Image.new("L", (20, 20), 7), 7),
        (Image.new("1", (20, 20), 0), 0),
        (Image.new("RGB", (20, 20), RED), RED),
        (Image.new("RGB", (20, 20), RED).quantize(4), 0),
        (Image.new("RGB", (20, 20), RED).quantize(4), b"\x00"),
    ],
    ids=["LA", "L", "1", "RGB", "P", "P with an alpha table"],
)
def test_each_kind_of_full_transparency_becomes_white(image: Image.Image, transparency: object) -> None:
    photo = encoded(image, "PNG", **({} if transparency is None else {"transparency": transparency}))
    # exact: pixels are whole numbers and are not scaled here
    assert (pixels(photo) == 255).all()


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_the_first_frame_of_an_animation_is_decoded(format: str, options: dict[str, Any]) -> None:
    first, second = Image.new("RGB", (30, 20), RED), Image.new("RGB", (30, 20), "blue")
    assert_shows(encoded(first, format, save_all=True, append_images=[second], duration=50, **options), first)


def test_a_progressive_jpeg_gives_the_pixels_of_a_baseline_one() -> None:
    image = detailed((200, 150))
    baseline, progressive = (encoded(image, "JPEG", quality=90, progressive=kind) for kind in (False, True))
    # exact: the same decoder decodes the same coefficients, in whole numbers
    assert (pixels(baseline) == pixels(progressive)).all()


def test_an_mpo_file_gives_its_first_image_and_is_scaled_while_decoded() -> None:
    first, second = Image.new("RGB", (1600, 1200), RED), Image.new("RGB", (1600, 1200), "blue")
    photo = encoded(first, "MPO", save_all=True, append_images=[second])

    image = decode(photo, shorter_side=100)
    assert image.size == (400, 300)
    assert np.abs(np.asarray(image, dtype=int)[50, 50] - RED).max() <= 3


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000), (641, 480), (4000, 3000), (320, 320), (2048, 256)])
@pytest.mark.parametrize("side", [1, 32, 256])
def test_a_scaled_jpeg_keeps_at_least_the_requested_side(size: tuple[int, int], side: int) -> None:
    image = decode(any_photo(size=size), shorter_side=side)
    assert min(image.size) >= min(side, *size)
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.05)


# -- invalid photos --------------------------------------------------------------------------------------------------


def png(width: int, height: int, rows: bytes, *, depth: int = 8, extra: bytes = b"") -> bytes:
    """A hand-made PNG of RGB pixels. Its header may contradict its content."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def webp_of(width: int, height: int) -> bytes:
    """A WebP whose header claims this size."""
    lossless = bytearray(encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True))
    lossless[21:25] = ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    return bytes(lossless)


def jpeg_of(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG whose header claims this size."""
    return with_size(any_photo(progressive=progressive), width, height)


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its first header."""
    start = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg) + 5
    return jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]


def test_an_empty_body_has_its_own_error() -> None:
    error = refusal(b"")
    assert error.kind == "empty"


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"hello, this is a dog",
        b"<!doctype html><img src=dog.jpg>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"\x80\x04\x95pickle",
        b"\x93NUMPY\x01\x00",
        b"\xff\xd8",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        *(encoded(Image.new("RGB", (9, 9)), kind) for kind in ("GIF", "TIFF", "BMP", "PPM", "ICO", "JPEG2000", "AVIF")),
    ],
)
def test_other_formats_are_refused_with_their_type_and_the_remedy(content: bytes) -> None:
    error = refusal(content)
    assert error.kind == "not_a_photo"
    assert error.message.startswith(f"The file is {file_type(content).description}; ")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_a_truncated_photo_is_refused(format: str, share: float) -> None:
    photo = any_photo(format=format, size=(300, 200), detail_seed=5)
    error = refusal(photo[: max(12, int(len(photo) * share))])
    assert error.kind == "broken_photo"


@pytest.mark.parametrize("photo", [png(0, 0, b""), png(0, 9, b""), png(9, 9, b"no rows"), jpeg_of(0, 0)])
def test_a_false_size_is_refused(photo: bytes) -> None:
    assert refusal(photo).kind in ("broken_photo", "too_many_pixels")


@pytest.mark.parametrize(
    "make", [lambda width, height: png(width, height, b""), jpeg_of, webp_of], ids=["PNG", "JPEG", "WebP"]
)
@pytest.mark.parametrize("size", [(100, 2001), (2001, 100), (16000, 3)])
def test_a_strip_is_refused(make: Any, size: tuple[int, int]) -> None:
    error = refusal(make(*size))
    assert error.kind == "too_narrow"
    assert f"{size[0]} x {size[1]}" in error.message


BOMBS = {
    "PNG": png(5001, 5000, b"\0" * 5001 * 15),
    "PNG over Pillow's own limit": png(65500, 65500, b""),
    "PNG over every number": png(2**31 - 1, 2**31 - 1, b""),
    "WebP": webp_of(5001, 5000),
    "WebP under Pillow's own limit": webp_of(16383, 10000),
    "WebP at its largest": webp_of(16383, 16383),
    "JPEG": jpeg_of(16_000, 15_626),
    "JPEG at its largest": jpeg_of(65500, 65500),
    "progressive JPEG": jpeg_of(5001, 5000, progressive=True),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_too_many_pixels_are_refused(bomb: bytes) -> None:
    error = refusal(bomb)
    assert error.kind == "too_many_pixels"


MEASURE = """
import sys
from inference.photo.errors import PhotoError
from inference.photo.file_types import file_type
from inference.photo.decode import decode
from tests.builders import any_photo

def peak_kib():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmPeak")).split()[1])

for format in ("JPEG", "PNG", "WEBP"):
    decode(any_photo(format=format), shorter_side=256)
before = peak_kib()
try:
    decode(sys.stdin.buffer.read(), shorter_side=256)
except PhotoError as error:
    print(error.kind, peak_kib() - before)
"""


@pytest.mark.parametrize("name", ["PNG", "WebP under Pillow's own limit", "JPEG", "progressive JPEG"])
def test_a_bomb_is_refused_before_memory_is_allocated(name: str) -> None:
    ran = subprocess.run([sys.executable, "-c", MEASURE], input=BOMBS[name], capture_output=True, check=True)
    kind, taken_kib = ran.stdout.split()
    assert kind == b"too_many_pixels"
    assert int(taken_kib) < 4096


def test_a_photo_of_48_megapixels_with_all_its_data_is_read() -> None:
    image = decode(encoded(Image.new("RGB", (8064, 6048), RED), "JPEG"), shorter_side=256)
    assert image.size == (1008, 756)


def test_an_mpo_file_may_have_as_many_pixels_as_a_jpeg() -> None:
    small = Image.new("RGB", (60, 40), RED)
    photo = with_size(encoded(small, "MPO", save_all=True, append_images=[small]), 8064, 6048)
    assert decode(photo, shorter_side=256).size == (1008, 756)  # grey where the data ends


DECODERS = """
import sys
from inference.photo.errors import PhotoError
from inference.photo.file_types import file_type
from inference.photo.decode import decode
from tests.builders import any_photo

for photo in (b"\\xff\\xd8\\xff\\xc0", b"\\x89PNG\\r\\n\\x1a\\n", any_photo(format="WEBP"), any_photo()):
    try:
        decode(photo, shorter_side=256)
    except PhotoError:
        pass
print([name for name in sys.modules if name in ("PIL.TgaImagePlugin", "PIL.PsdImagePlugin", "PIL.EpsImagePlugin")])
"""


def test_unneeded_decoders_are_not_imported() -> None:
    ran = subprocess.run([sys.executable, "-c", DECODERS], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_jpeg_with_too_many_scans_is_refused() -> None:
    photo = any_photo(size=(1000, 1000), progressive=True)
    scan = photo[photo.rindex(b"\xff\xda") : -2]
    assert photo.count(b"\xff\xda") < 20

    error = refusal(photo[:-2] + 1000 * scan + photo[-2:])
    assert error.kind == "too_many_scans"


def test_a_text_chunk_that_expands_to_64_mib_is_skipped() -> None:
    flood = zlib.compress(bytes(64 * 2**20), 9)
    for extra in (chunk(b"zTXt", b"k\0\0" + flood), chunk(b"iTXt", b"k\0\1\0\0\0" + flood)):
        assert pixels(png(9, 9, b"\0" * 28 * 9, extra=extra)).shape == (9, 9, 3)


def test_data_after_the_photo_is_ignored() -> None:
    assert pixels(any_photo() + b"<script>alert(1)</script>").shape == (40, 60, 3)


def seeds() -> list[bytes]:
    image = detailed((64, 48), seed=6)
    return [
        encoded(image, "JPEG", exif=exif(6)),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image, "MPO", save_all=True, append_images=[image]),
        encoded(image.quantize(16), "PNG", transparency=3),
        encoded(image.convert("RGBA"), "PNG", save_all=True, append_images=[image.convert("RGBA")]),
        encoded(Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64)), "PNG"),
        encoded(image, "WEBP", exif=exif(8)),
        encoded(image.convert("RGBA"), "WEBP", lossless=True, save_all=True, append_images=[image.convert("RGBA")]),
    ]


@pytest.mark.parametrize("kind", range(len(seeds())))
def test_mutated_photos_are_decoded_or_refused_without_other_errors(kind: int) -> None:
    photo, dice = seeds()[kind], random.Random(kind)
    outcomes: Counter[str] = Counter()
    for _ in range(600):
        hostile = mutated(photo, dice)
        try:
            decode(hostile, shorter_side=32)
            outcomes["read"] += 1
        except PhotoError as error:
            outcomes[error.kind] += 1
    assert outcomes["read"] > 10
    assert outcomes["broken_photo"] > 10
