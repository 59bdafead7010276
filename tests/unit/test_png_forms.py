"""A PNG of each form shows what its samples say, and what it hides is white."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from inference.photo.decode import decode
from inference.photo.transparency import TransparentColour
from tests.builders import encoded
from tests.png_forms import GREY, PALETTE, RGB, Form, every_form, samples, shown, written

FORMS = every_form()


def pixels(photo: bytes) -> npt.NDArray[np.float64]:
    return np.asarray(decode(photo, shorter_side=256)).astype(float)


@pytest.mark.parametrize("form", FORMS, ids=[f"{form} {form.key or form.alphas.hex()}" for form in FORMS])
def test_a_png_of_each_form_is_read_right(form: Form) -> None:
    found = samples(form)
    # Samples of 16 bits are cut to 8 before they are blended with white: a level each.
    assert np.abs(pixels(written(form, found)) - shown(form, found)).max() <= (2 if form.depth == 16 else 1)


@pytest.mark.parametrize("form", [Form(GREY, 2, key=(1,)), Form(GREY, 16, key=(300,)), Form(RGB, 8, key=(9, 8, 7))])
def test_hidden_pixels_of_a_large_png_are_white_before_they_are_averaged(form: Form) -> None:
    size = (2400, 1800)
    found = np.zeros((size[1], size[0], len(form.key or ())), dtype=np.uint16)
    found[:, 900:] = form.key or ()
    image = decode(written(form, found), shorter_side=256)

    assert image.size == (800, 600)
    # exact: whole numbers; both halves are of one colour
    assert np.asarray(image)[5, 100].tolist() == [0, 0, 0]
    # exact: whole numbers; both halves are of one colour
    assert np.asarray(image)[5, 500].tolist() == [255, 255, 255]


def test_a_key_of_more_bits_than_the_samples_is_cut_to_their_bits() -> None:
    """PNG, 11.3.1.1: only the bits that a sample has are used."""
    assert TransparentColour.of(GREY, 2, b"\xab\xf9") == TransparentColour((1,), 2)
    assert TransparentColour.of(RGB, 8, b"\x01\xff\x02\xfe\x03\xfd") == TransparentColour((255, 254, 253), 8)


@pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 5])
def test_a_transparency_that_is_cut_off_is_ignored(content: bytes) -> None:
    assert TransparentColour.of(RGB, 8, content) is None
    form = Form(RGB, 8, key=(0, 0, 0))
    photo, found = written(form, samples(form)), samples(form)
    start = photo.index(b"tRNS") - 4
    broken = photo[:start] + len(content).to_bytes(4) + b"tRNS" + content + bytes(4) + photo[start + 18 :]
    assert np.abs(pixels(broken) - shown(Form(RGB, 8), found)).max() <= 1


def test_a_palette_has_no_transparent_colour() -> None:
    assert TransparentColour.of(PALETTE, 8, bytes(256)) is None


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_with_alpha_is_blended_with_white(lossless: bool) -> None:
    opacity = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (64, 1))
    colours = np.full((64, 128, 3), (40, 90, 160), dtype=np.uint8)
    image = Image.fromarray(np.dstack([colours, opacity]))
    photo = encoded(image, "WEBP", lossless=lossless, exact=True, quality=100, alpha_quality=100)

    share = opacity[..., np.newaxis] / 255
    assert np.abs(pixels(photo) - (colours * share + 255 * (1 - share))).max() <= (1 if lossless else 4)
