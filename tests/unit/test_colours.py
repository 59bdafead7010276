"""Photos in other colour spaces become sRGB as LittleCMS converts them; photos in sRGB are not changed."""

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from inference.photo import icc
from inference.photo.colour import to_srgb
from inference.photo.decode import decode
from inference.photo.preprocessing import Preprocessing
from tests import icc_profiles
from tests.builders import detailed, encoded
from tests.icc_profiles import D50, SRGB_CURVE, colorants, gamma, matrix_profile, named, parametric, profile_of, table
from tests.security.make_attacks import all_attacks

OTHERS = [space for space in icc_profiles.PRIMARIES if space != "sRGB"]
LEVELS = np.arange(0, 256, 17, dtype=np.uint8)
EVERY_COLOUR = Image.fromarray(np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(64, 64, 3))
LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "WEBP": {"lossless": True}}


def little_cms(image: Image.Image, source: bytes, target: bytes | None = None) -> Image.Image:
    """The image converted by LittleCMS, by default to sRGB."""
    read, write = (ImageCms.ImageCmsProfile(io.BytesIO(each or named("sRGB"))) for each in (source, target))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    converted = ImageCms.profileToProfile(image, read, write, intent, outputMode="RGB")
    assert isinstance(converted, Image.Image)
    return converted


def pixels(photo: bytes) -> npt.NDArray[np.int_]:
    return np.asarray(to_srgb(decode(photo, shorter_side=256)), dtype=int)


def levels_apart(photo: bytes, expected: Image.Image) -> int:
    return int(np.abs(pixels(photo) - np.asarray(expected, dtype=int)).max())


@pytest.mark.parametrize("space", OTHERS)
@pytest.mark.parametrize("format", LOSSLESS)
def test_each_space_becomes_srgb(space: str, format: str) -> None:
    profile = named(space)
    photo = encoded(EVERY_COLOUR, format, icc_profile=profile, **LOSSLESS[format])
    expected = little_cms(EVERY_COLOUR, profile)

    assert np.abs(np.asarray(expected, dtype=int) - np.asarray(EVERY_COLOUR)).max() > 30  # the space is another one
    assert levels_apart(photo, expected) <= 1


def test_a_red_of_a_phone_is_the_red_that_it_shows() -> None:
    """Display P3's 234, 51, 35 is the reddest red of sRGB."""
    assert (
        np.abs(
            pixels(encoded(Image.new("RGB", (9, 9), (234, 51, 35)), "PNG", icc_profile=named("Display P3")))
            - [255, 0, 0]
        ).max()
        <= 2
    )


CURVES = {
    "a power": gamma(2.2),
    "a line": struct.pack(">4s4xI", b"curv", 0),
    "a table": table([(number / 1023) ** 2.2 for number in range(1024)]),
    "a short table": table([0, 0.2, 1]),
    "parametric 0": parametric(0, 1.8),
    "parametric 1": parametric(1, 2.2, 1.05, -0.05),
    "parametric 2": parametric(2, 2.2, 1.03, -0.04, 0.01),
    "parametric 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "parametric 4": parametric(4, 2.0, 0.98, 0.0, 0.2, 0.05, 0.02, 0.01),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_each_kind_of_curve_is_read(curve: bytes) -> None:
    profile = matrix_profile(colorants(icc_profiles.PRIMARIES["Display P3"]), [curve] * 3)
    assert levels_apart(encoded(EVERY_COLOUR, "PNG", icc_profile=profile), little_cms(EVERY_COLOUR, profile)) <= 2


def test_each_channel_has_its_own_curve() -> None:
    profile = matrix_profile(colorants(icc_profiles.PRIMARIES["sRGB"]), [gamma(1.4), gamma(1.8), gamma(2.6)])
    assert levels_apart(encoded(EVERY_COLOUR, "PNG", icc_profile=profile), little_cms(EVERY_COLOUR, profile)) <= 2


def grey_profile(curve: bytes) -> bytes:
    return profile_of({b"kTRC": curve, b"wtpt": b"XYZ \0\0\0\0" + icc_profiles.s15(D50)}, space=b"GRAY")


def test_a_grey_profile_has_one_curve() -> None:
    grey = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (16, 1)))
    profile = grey_profile(gamma(1.6))
    assert levels_apart(encoded(grey, "PNG", icc_profile=profile), little_cms(grey, profile)) <= 2


SRGB_PROFILES = {
    "primaries and a parametric curve": named("sRGB"),
    "LittleCMS's": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "a table, as the first profiles of sRGB": matrix_profile(
        np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]),
        [table([(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in np.linspace(0, 1, 1024)])] * 3,
    ),
}


@pytest.mark.parametrize("profile", SRGB_PROFILES.values(), ids=SRGB_PROFILES)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_with_a_profile_of_srgb_has_the_pixels_of_one_without(profile: bytes, format: str) -> None:
    image = detailed((300, 280))
    seen = Preprocessing()(encoded(image, format, icc_profile=profile))
    # exact: the same values take the same way
    assert (seen == Preprocessing()(encoded(image, format))).all()


BROKEN = {
    "no profile": b"no profile at all",
    "nothing but a header": named("Display P3")[:128],
    "cut off": named("Display P3")[:300],
    "of another kind of image": named("Display P3").replace(b"RGB XYZ ", b"CMYKXYZ "),
    "of a printer": named("Display P3").replace(b"RGB XYZ ", b"RGB Lab "),
    "without a signature": named("Display P3").replace(b"acsp", b"nope"),
    "of tags outside the file": named("Display P3").replace(b"rTRC\0", b"rTRC\xff"),
    "without green": named("Display P3").replace(b"gXYZ", b"gxyz"),
    "whose white is not white": matrix_profile(np.eye(3), [SRGB_CURVE] * 3),
    "whose curve is constant": matrix_profile(colorants(icc_profiles.PRIMARIES["sRGB"]), [table([0, 0, 0])] * 3),
    "whose curve falls": matrix_profile(colorants(icc_profiles.PRIMARIES["sRGB"]), [table([0, 0.9, 0.1, 1])] * 3),
    "whose curve is no number": matrix_profile(
        colorants(icc_profiles.PRIMARIES["sRGB"]), [parametric(3, -9, 0, 0, 0, 0)] * 3
    ),
    "of a curve of four billion entries": named("Adobe RGB").replace(
        b"curv\0\0\0\0\0\0\0\1", b"curv\0\0\0\0\xff\xff\xff\xff"
    ),
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes, format: str) -> None:
    image = detailed((40, 30))
    # exact: the same decoder reads the same values
    assert (pixels(encoded(image, format, icc_profile=profile)) == pixels(encoded(image, format))).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_only_the_beginning_of_a_large_profile_is_read(format: str) -> None:
    image, profile = detailed((40, 30)), named("ProPhoto RGB")
    large = encoded(image, format, icc_profile=profile + random.Random(0).randbytes(3 * icc.MAX_BYTES))
    # exact: the same profile and the same pixels
    assert (pixels(large) == pixels(encoded(image, format, icc_profile=profile))).all()


INKS = {
    (0, 0, 0, 0): (255, 255, 255),
    (0, 255, 255, 0): (237, 28, 36),
    (255, 0, 255, 0): (0, 166, 80),
    (255, 255, 0, 0): (46, 48, 146),
    (20, 100, 110, 10): (221, 160, 134),
    (128, 100, 100, 20): (129, 134, 136),
    (40, 60, 140, 40): (186, 163, 115),
}
"""Cyan, magenta, yellow and black, and the red, green and blue that LittleCMS makes of them with Ghostscript's profile
of SWOP (default_cmyk.icc of its release 10.0) and black point compensation."""


def test_a_photo_in_cmyk_with_a_profile_of_a_press_has_the_colours_of_its_inks() -> None:
    squares = np.repeat(np.repeat(np.array([list(INKS)], dtype=np.uint8), 16, axis=0), 16, axis=1)
    image = Image.frombytes("CMYK", (16 * len(INKS), 16), squares.tobytes())
    saved: dict[str, Any] = {"quality": 100, "subsampling": 0}
    header = profile_of({}, space=b"CMYK", kind=b"prtr", pcs=b"Lab ")
    converted, ideal = (
        pixels(encoded(image, "JPEG", icc_profile=profile, **saved))[8, 8::16] for profile in (header, None)
    )

    assert np.abs(converted - list(INKS.values())).mean() < 8
    assert np.abs(ideal - list(INKS.values())).mean() > 16
    assert np.abs(converted[0] - 255).max() <= 1


def test_a_profile_of_another_kind_of_image_is_ignored() -> None:
    for image, profile in (
        (detailed((40, 30)).convert("L"), named("ProPhoto RGB")),
        (detailed((40, 30)), grey_profile(gamma(1.4))),
        (detailed((40, 30)).convert("CMYK"), named("ProPhoto RGB")),
    ):
        # exact: the same decoder reads the same values
        assert (pixels(encoded(image, "JPEG", icc_profile=profile)) == pixels(encoded(image, "JPEG"))).all()


def test_mutated_profiles_are_read_or_ignored() -> None:
    dice = random.Random(1)
    sources = [named("Display P3"), named("Adobe RGB"), grey_profile(gamma(2)), SRGB_PROFILES["LittleCMS's"]]
    read = 0
    for number in range(3000):
        profile = bytearray(sources[number % len(sources)])
        for _ in range(dice.randint(1, 6)):
            profile[dice.randrange(len(profile))] = dice.randrange(256)
        linear = icc.linear_srgb(bytes(profile[: dice.randint(0, 2 * len(profile))]), bytes(profile[16:20]))
        read += linear is not None
        assert linear is None or (linear.shape == (3, 256, 3) and np.isfinite(linear).all())
    assert 300 < read < 2700


def parts(profile: bytes, size: int) -> list[bytes]:
    cut = [profile[at : at + size] for at in range(0, len(profile), size)]
    return [b"ICC_PROFILE\0" + bytes([number, len(cut)]) + part for number, part in enumerate(cut, start=1)]


def with_segments(jpeg: bytes, contents: list[bytes]) -> bytes:
    return jpeg[:2] + b"".join(b"\xff\xe2" + struct.pack(">H", len(each) + 2) + each for each in contents) + jpeg[2:]


def test_the_parts_of_a_jpegs_profile_may_come_in_any_order() -> None:
    plain, profile = encoded(detailed((40, 30)), "JPEG"), named("ProPhoto RGB")
    expected = pixels(encoded(detailed((40, 30)), "JPEG", icc_profile=profile))
    found = pixels(with_segments(plain, parts(profile, 50)[::-1]))
    # exact: the same profile and the same pixels
    assert (found == expected).all()
    assert np.abs(found - pixels(plain)).max() > 10


@pytest.mark.parametrize("segment", [b"ICC_PROFILE\0", b"ICC_PROFILE\0\1", b"ICC_PROFILE\0\1\1", b"ICC_PROFILE"])
def test_a_part_without_content_is_ignored(segment: bytes) -> None:
    plain = encoded(detailed((40, 30)), "JPEG")
    # exact: the same decoder reads the same values
    assert (pixels(with_segments(plain, [segment])) == pixels(plain)).all()


def test_a_pngs_profile_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = encoded(detailed((40, 30)), "PNG", icc_profile=named("Display P3") + bytes(64 * 2**20))
    inflated, make = [], zlib.decompressobj

    class Recorded:
        def __init__(self) -> None:
            self._unpacker = make()

        def decompress(self, data: bytes, most: int) -> bytes:
            inflated.append(len(content := self._unpacker.decompress(data, most)))
            return content

        @property
        def eof(self) -> bool:
            return self._unpacker.eof

    monkeypatch.setattr("inference.photo.metadata.zlib.decompressobj", Recorded)
    decode(photo, shorter_side=256)
    assert inflated == [icc.MAX_BYTES]


def test_a_png_has_one_profile_and_thousands_of_broken_ones_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would be inflated up to the checksum at its end."""
    (photo,) = (each.body() for each in all_attacks() if each.name == "png-profiles-that-break-at-their-end")
    opened, make = [], zlib.decompressobj

    def recorded() -> Any:
        opened.append(unpacker := make())
        return unpacker

    monkeypatch.setattr("inference.photo.metadata.zlib.decompressobj", recorded)
    decode(photo, shorter_side=256)
    assert len(opened) == 1


def test_a_large_photo_is_converted_after_it_is_scaled() -> None:
    profile = named("Display P3")
    image = little_cms(detailed((1600, 1200)), named("sRGB"), profile)
    photo, plain = (encoded(image, "JPEG", quality=95, **kept) for kept in ({"icc_profile": profile}, {}))
    preprocessing = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))

    seen, expected, ignored = (
        preprocessing(each) * 255 for each in (photo, encoded(detailed((1600, 1200)), "JPEG", quality=95), plain)
    )
    assert np.abs(seen - expected).mean() < 1
    assert np.abs(ignored - expected).mean() > 4


def test_converted_pixels_are_the_same_for_training_and_for_serving() -> None:
    preprocessing, photo = Preprocessing(), encoded(detailed((500, 400)), "JPEG", icc_profile=named("Display P3"))
    trained = preprocessing.normalise(preprocessing.square(decode(photo, shorter_side=preprocessing.resize)))
    # exact: the same code
    assert (preprocessing(photo) == trained).all()
