"""The page in a real Chromium, served by `kennel serve`. The scenarios are in scenarios.mjs."""

import io
import json
import math
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

import page
from inference.photo import colour
from inference.photo.decode import decode
from ops.cli import app
from tests import icc_profiles
from tests.builders import any_photo, colour_of, detailed, encoded, write_artifact
from tests.page.browser import HERE, in_chromium
from tests.page.servers import Servers, serving

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="npm's package of Chromium is for Linux on x86-64"
)

PRIVATE = "Elsewhere-on-Earth"
"""What is in the metadata of each photo with a place."""
ENCODED_AGAIN = {"place-turned.webp", "place-turned-lossless.webp", "place-upside-down.webp"}
"""Not each browser turns a WebP by its metadata."""
_ORIENTATION, _GPS = 0x0112, 0x8825
HOSTILE = "<script>document.title = 1</script>"
SCENARIOS = re.findall(r"^  async '([^']+)'", (HERE / "scenarios.mjs").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    beagle = any_photo(colour_of(0), size=(600, 400))
    for name in ("beagle.jpg", "a-name-of-a-photo-that-is-far-longer-than-a-phone-is-wide-and-has-no-space.jpg"):
        (folder / name).write_bytes(beagle)
    (folder / "script.jpg").write_bytes(any_photo(colour_of(1)))
    (folder / "large.webp").write_bytes(any_photo(colour_of(0), size=(3000, 2000), format="WEBP"))
    (folder / "large.png").write_bytes(any_photo(colour_of(0), size=(5000, 4000), format="PNG"))
    (folder / "collie.png").write_bytes(any_photo(colour_of(2), size=(300, 400), format="PNG"))
    (folder / "cut.jpg").write_bytes(any_photo(size=(600, 400), detail_seed=1, exif=exif_of(6))[:9000])
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (folder / "notes.txt").write_text("A beagle, a collie and a boxer.\n" * 20)
    (folder / "drawing.svg").write_text(f"<?xml version='1.0'?>\n<!-- {'drawn by hand ' * 25} -->\n<svg></svg>")
    (folder / "large.bin").write_bytes(bytes(6_000_000))
    (folder / "phone.jpg").write_bytes(phone_photo())
    for name, photo in photos_with_a_place().items():
        (folder / name).write_bytes(photo)
    return folder


def exif_of(orientation: int) -> Image.Exif:
    """As a phone writes it: with the place, and names."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    exif[0x010F] = PRIVATE
    exif.get_ifd(_GPS).update({1: "N", 2: (48.0, 51.0, 29.9), 3: "E", 4: (2.0, 17.0, 40.2), 29: "2026:11:28"})
    return exif


def photos_with_a_place() -> dict[str, bytes]:
    """By name. Those that say `turned` are stored on their side."""
    image, xmp = detailed((600, 400), 7), f"<x:xmpmeta>{PRIVATE}</x:xmpmeta>".encode()
    profile = icc_profiles.named("Display P3")
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", PRIVATE)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    thumbnail = any_photo(size=(160, 120), comment=PRIVATE)
    forms: dict[str, dict[str, Any]] = {
        "turned.jpg": {"exif": exif_of(6), "xmp": xmp, "comment": PRIVATE, "icc_profile": profile},
        "turned-progressive.jpg": {"exif": exif_of(5), "progressive": True, "restart_marker_rows": 2, "quality": 95},
        "upside-down.jpg": {"exif": exif_of(3), "subsampling": 0, "optimize": True},
        "turned.png": {"exif": exif_of(8), "pnginfo": text, "icc_profile": profile},
        "upright.png": {"exif": exif_of(1), "pnginfo": text},
        "turned.webp": {"exif": exif_of(6), "xmp": xmp, "icc_profile": profile},
        "turned-lossless.webp": {"exif": exif_of(7), "lossless": True},
        "upside-down.webp": {"exif": exif_of(4)},
        "upright.webp": {"exif": exif_of(1), "xmp": xmp},
    }
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
    photos = {f"place-{name}": encoded(image, kinds[name.split(".")[1]], **form) for name, form in forms.items()}
    photos["place-cmyk.jpg"] = encoded(image.convert("CMYK"), "JPEG", exif=exif_of(1))
    photos["place-thumbnail.jpg"] = longer_segments(encoded(image, "JPEG"))
    return {name: photo + (thumbnail if name.endswith("jpg") else b"") for name, photo in photos.items()}


def longer_segments(jpeg: bytes) -> bytes:
    """With a thumbnail of 2 x 3 pixels in the segment of JFIF, and more bytes in that of Adobe than it has to have."""
    pixels = PRIVATE.encode()  # 18 bytes
    jfif = jpeg[6:18] + bytes([2, 3]) + pixels
    adobe = b"Adobe\0\x64\0\0\0\0\x01" + pixels
    segments = (
        bytes([0xFF, kind]) + (len(each) + 2).to_bytes(2) + each for kind, each in ((0xE0, jfif), (0xEE, adobe))
    )
    return jpeg[:2] + b"".join(segments) + jpeg[20:]


def phone_photo() -> bytes:
    """12 megapixels in Display P3, stored on its side, with more bytes than any service here accepts."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    noise = np.random.default_rng(5).integers(-40, 40, (3000, 4000, 3), dtype=np.int16)
    pixels = np.clip(np.asarray(detailed((4000, 3000), 5), dtype=np.int16) + noise, 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG", quality=99, exif=exif, icc_profile=icc_profiles.named("Display P3"))


def with_a_place(photos: Path) -> list[str]:
    """Their names; eleven, of each format and of most orientations."""
    names = sorted(path.name for path in photos.glob("place-*"))
    assert len(names) == 11
    return names


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("model"), ("Beagle", HOSTILE, "Collie_&_Co"))


@pytest.fixture(scope="module")
def servers(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with serving(model, tmp_path_factory.mktemp("serve")) as found:
        yield found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the page sends of the photos, and for the answers."""
    return tmp_path_factory.mktemp("sent")


@pytest.fixture(scope="module")
def faults(servers: Servers, photos: Path, sent: Path) -> dict[str, str | None]:
    """The fault of each scenario; None for one that held."""
    ran = in_chromium(
        "scenarios.mjs", ADDRESS=servers.address, HELD=servers.held, HOLD=servers.hold, PHOTOS=photos, SENT=sent
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {line["name"]: line["fault"] for line in lines}


def test_every_scenario_ran(faults: dict[str, str | None]) -> None:
    assert list(faults) == SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_in_chromium(name: str, faults: dict[str, str | None]) -> None:
    assert faults[name] is None, faults[name]


def test_the_sent_photo_shows_what_the_service_sees_in_the_original(
    faults: dict[str, str | None], photos: Path, sent: Path
) -> None:
    original, scaled = (photos / "phone.jpg").read_bytes(), (sent / "phone.jpg").read_bytes()

    assert len(original) > 12_000_000
    assert len(scaled) < 1_000_000
    assert Image.open(io.BytesIO(scaled)).size == (640, 853)
    assert np.abs(seen(scaled) - seen(original)).mean() < 2


def test_a_photo_is_sent_without_its_metadata_and_with_the_same_pixels(
    faults: dict[str, str | None], photos: Path, sent: Path
) -> None:
    for name in with_a_place(photos):
        original, stripped = (photos / name).read_bytes(), (sent / name).read_bytes()
        exif = Image.open(io.BytesIO(stripped)).getexif()

        assert PRIVATE.encode() in original, name
        assert PRIVATE.encode() not in stripped, name
        assert set(exif) <= {_ORIENTATION}, name
        assert not exif.get_ifd(_GPS), name
        if name in ENCODED_AGAIN:
            assert np.abs(seen(stripped) - seen(original)).mean() < 2, name
        else:
            # exact: the same decoder reads the same rows
            assert pixels(stripped) == pixels(original), name


def test_a_file_that_is_no_photo_or_cut_off_is_sent_without_what_the_service_does_not_need(
    faults: dict[str, str | None], photos: Path, sent: Path
) -> None:
    cut, text = (sent / "cut.jpg").read_bytes(), (sent / "notes.txt").read_bytes()

    assert PRIVATE.encode() in (photos / "cut.jpg").read_bytes()
    assert PRIVATE.encode() not in cut
    assert len(cut) > 8000
    assert text == (photos / "notes.txt").read_bytes()[:256]


def test_the_page_shows_the_answers_of_kennel_predict(
    faults: dict[str, str | None], photos: Path, sent: Path, model: Path
) -> None:
    names = with_a_place(photos)
    words = ["predict", *(str(photos / name) for name in names), "--model", str(model), "--top-k", "3", "--json"]
    printed = CliRunner().invoke(app, words)
    assert printed.exit_code == 0, printed.output
    for name, line in zip(names, printed.stdout.splitlines(), strict=True):
        here = {each["breed"]: each["probability"] for each in json.loads(line)["predictions"]}
        there = json.loads((sent / f"{name}.json").read_text())["predictions"]
        assert {each["breed"]: each["probability"] for each in there} == pytest.approx(
            here, abs=0.02 if name in ENCODED_AGAIN else 1e-4
        ), name
        assert max(here.values()) < 0.99  # a change of the pixels would be seen


@pytest.mark.parametrize("form", [{"format": "WEBP"}, {"format": "PNG"}, {"progressive": True, "subsampling": 0}])
def test_the_service_decodes_each_photo_that_the_page_sends_as_it_is(form: dict[str, Any]) -> None:
    """A photo of more pixels is scaled down first."""
    (limit,) = re.findall(r"PIXELS_AS_IS = ([\d_]+)", page.FILE.read_text())
    side = math.isqrt(int(limit))

    assert decode(any_photo(size=(side, side), **form), shorter_side=256)


def pixels(photo: bytes) -> bytes:
    """As the service decodes them."""
    return decode(photo, shorter_side=256).convert("RGB").tobytes()


def seen(photo: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The photo in sRGB, 48 x 64, 0..255."""
    image = decode(photo, shorter_side=256)
    return np.asarray(colour.to_srgb(image).resize((48, 64), Image.Resampling.BOX), dtype=np.float64)
