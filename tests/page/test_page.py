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
from PIL import Image

import page
from inference.photo import colour
from inference.photo.decode import decode
from tests import icc_profiles
from tests.builders import any_photo, colour_of, detailed, encoded, write_artifact
from tests.page.browser import HERE, in_chromium
from tests.page.servers import Servers, serving

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="npm's package of Chromium is for Linux on x86-64"
)

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
    (folder / "cut.jpg").write_bytes(any_photo(size=(600, 400), detail_seed=1)[:9000])
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (folder / "notes.txt").write_text("A beagle, a collie and a boxer.\n" * 20)
    (folder / "large.bin").write_bytes(bytes(6_000_000))
    (folder / "phone.jpg").write_bytes(phone_photo())
    return folder


def phone_photo() -> bytes:
    """12 megapixels in Display P3, stored on its side, with more bytes than any service here accepts."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    noise = np.random.default_rng(5).integers(-40, 40, (3000, 4000, 3), dtype=np.int16)
    pixels = np.clip(np.asarray(detailed((4000, 3000), 5), dtype=np.int16) + noise, 0, 255).astype(np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG", quality=99, exif=exif, icc_profile=icc_profiles.named("Display P3"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(write_artifact(folder / "model", ("Beagle", HOSTILE, "Collie_&_Co")), folder) as found:
        yield found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the photo that the page sends of phone.jpg."""
    return tmp_path_factory.mktemp("sent") / "sent.jpg"


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
    original, scaled = (photos / "phone.jpg").read_bytes(), sent.read_bytes()

    assert len(original) > 12_000_000
    assert len(scaled) < 1_000_000
    assert Image.open(io.BytesIO(scaled)).size == (640, 853)
    assert np.abs(seen(scaled) - seen(original)).mean() < 2


@pytest.mark.parametrize("form", [{"format": "WEBP"}, {"format": "PNG"}, {"progressive": True, "subsampling": 0}])
def test_the_service_decodes_each_photo_that_the_page_sends_as_it_is(form: dict[str, Any]) -> None:
    """A photo of more pixels is scaled down first."""
    (limit,) = re.findall(r"PIXELS_AS_IS = ([\d_]+)", page.FILE.read_text())
    side = math.isqrt(int(limit))

    assert decode(any_photo(size=(side, side), **form), shorter_side=256)


def seen(photo: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The photo in sRGB, 48 x 64, 0..255."""
    image = decode(photo, shorter_side=256)
    return np.asarray(colour.to_srgb(image).resize((48, 64), Image.Resampling.BOX), dtype=np.float64)
