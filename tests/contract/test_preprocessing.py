"""Serving sees a photo as torchvision does: Resize(256), CenterCrop(224), ToTensor, Normalize."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from inference.images import Pixels, Preprocessing
from tests.builders import any_photo, detailed, encoded

RECIPES = [Preprocessing(), Preprocessing.for_size(64), Preprocessing.for_size(33), Preprocessing(resize=50, crop=50)]
STEP = 1 / 255 / 0.224
"""One level of an 8-bit channel, after normalisation."""


def torchvision(photo: bytes, recipe: Preprocessing) -> Pixels:
    pipeline = transforms.Compose(
        [
            transforms.Resize(recipe.resize),
            transforms.CenterCrop(recipe.crop),
            transforms.ToTensor(),
            transforms.Normalize(recipe.mean, recipe.std),
        ]
    )
    result: Pixels = pipeline(Image.open(io.BytesIO(photo)).convert("RGB")).numpy()
    return result


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.resize}-{recipe.crop}")
@pytest.mark.parametrize(
    "size", [(500, 375), (375, 500), (256, 256), (224, 700), (257, 255), (1, 1), (7, 100), (301, 299)]
)
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_it_is_torchvision_to_the_last_level(recipe: Preprocessing, size: tuple[int, int], format: str) -> None:
    photo = any_photo(size=size, format=format, detail_seed=1)

    ours = recipe(photo)
    assert ours.shape == (3, recipe.crop, recipe.crop)
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    np.testing.assert_allclose(ours, torchvision(photo, recipe), atol=STEP / 1000)


@given(width=st.integers(1, 420), height=st.integers(1, 420), resize=st.integers(2, 80), less=st.integers(0, 30))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_it_is_torchvision_for_any_size(width: int, height: int, resize: int, less: int) -> None:
    if max(width, height) > 20 * min(width, height):
        height = width
    recipe = Preprocessing(resize=resize, crop=max(1, resize - less))
    photo = any_photo(size=(width, height), format="PNG", detail_seed=2)

    np.testing.assert_allclose(recipe(photo), torchvision(photo, recipe), atol=STEP / 1000)


@pytest.mark.parametrize("size", [(500, 375), (639, 639), (256, 1000)])
def test_a_jpeg_under_twice_the_size_is_exact_too(size: tuple[int, int]) -> None:
    photo = any_photo(size=size, detail_seed=3)
    np.testing.assert_allclose(Preprocessing()(photo), torchvision(photo, Preprocessing()), atol=STEP / 1000)


@pytest.mark.parametrize("size", [(640, 640), (1024, 768), (1600, 1200), (2048, 2731), (4000, 3000)])
def test_a_jpeg_scaled_while_it_is_decoded_is_close(size: tuple[int, int]) -> None:
    photo = encoded(detailed(size, seed=4), "JPEG", quality=92)

    difference = np.abs(Preprocessing()(photo) - torchvision(photo, Preprocessing()))
    assert difference.mean() < STEP
    assert difference.max() < 8 * STEP


def test_the_figures_are_those_of_a_known_pixel() -> None:
    pixels = Preprocessing()(any_photo((124, 116, 104), size=(300, 300), format="PNG"))
    assert pixels[:, 100, 100] == pytest.approx([0.0056, -0.0049, 0.0082], abs=1e-4)


def test_a_recipe_that_cuts_more_than_it_keeps_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"preprocessing\.crop \(65\) must be between 1 and preprocessing\.resize \(64\)"
    ):
        Preprocessing(resize=64, crop=65)
