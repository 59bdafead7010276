"""Preprocessing gives the same pixels as torchvision's Resize(256), CenterCrop(224), ToTensor, Normalize."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from PIL import Image
from torchvision import transforms

from inference.classifier import Classifier
from inference.photo.preprocessing import Pixels, Preprocessing
from tests.builders import any_photo, detailed, encoded, onnx_model, write_artifact

PARAMETERS = [
    Preprocessing(),
    Preprocessing.for_size(64),
    Preprocessing.for_size(33),
    Preprocessing(resize=50, crop=50),
]
GAIN = 0.25
"""Logits for a unit of difference, so that probabilities are neither 0 nor 1 and small differences show."""

STEP = 1 / 255 / 0.224
"""One level of an 8-bit channel, after normalisation."""


def torchvision(photo: bytes, preprocessing: Preprocessing) -> Pixels:
    pipeline = transforms.Compose(
        [
            transforms.Resize(preprocessing.resize),
            transforms.CenterCrop(preprocessing.crop),
            transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    result: Pixels = pipeline(Image.open(io.BytesIO(photo)).convert("RGB")).numpy()
    return result


@pytest.mark.parametrize(
    "preprocessing", PARAMETERS, ids=lambda preprocessing: f"{preprocessing.resize}-{preprocessing.crop}"
)
@pytest.mark.parametrize(
    "size", [(500, 375), (375, 500), (256, 256), (224, 700), (257, 255), (1, 1), (7, 100), (301, 299)]
)
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_pixels_are_those_of_torchvision(preprocessing: Preprocessing, size: tuple[int, int], format: str) -> None:
    photo = any_photo(size=size, format=format, detail_seed=1)

    found = preprocessing(photo)
    assert found.shape == (3, preprocessing.crop, preprocessing.crop)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, torchvision(photo, preprocessing), atol=STEP / 1000)


@given(width=st.integers(1, 420), height=st.integers(1, 420), resize=st.integers(2, 80), less=st.integers(0, 30))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_pixels_are_those_of_torchvision_for_any_size(width: int, height: int, resize: int, less: int) -> None:
    if max(width, height) > 20 * min(width, height):
        height = width
    preprocessing = Preprocessing(resize=resize, crop=max(1, resize - less))
    photo = any_photo(size=(width, height), format="PNG", detail_seed=2)

    np.testing.assert_allclose(preprocessing(photo), torchvision(photo, preprocessing), atol=STEP / 1000)


@pytest.mark.parametrize("size", [(500, 375), (639, 639), (256, 1000)])
def test_pixels_of_a_jpeg_below_the_scaling_margin_are_exact_too(size: tuple[int, int]) -> None:
    photo = any_photo(size=size, detail_seed=3)
    np.testing.assert_allclose(Preprocessing()(photo), torchvision(photo, Preprocessing()), atol=STEP / 1000)


@pytest.mark.parametrize("size", [(640, 640), (1024, 768), (1600, 1200), (2048, 2731), (4000, 3000)])
def test_pixels_of_a_jpeg_that_is_scaled_while_decoding_are_close(size: tuple[int, int]) -> None:
    photo = encoded(detailed(size, seed=4), "JPEG", quality=92)

    difference = np.abs(Preprocessing()(photo) - torchvision(photo, Preprocessing()))
    assert difference.mean() < STEP
    assert difference.max() < 8 * STEP


def test_200_photos_get_the_probabilities_of_torchvisions_pixels(tmp_path: Path) -> None:
    """With a network that recognises ten scenes by the mean colour of each cell of 8 x 8 pixels."""
    sizes = [(500, 375), (375, 500), (640, 640), (301, 299), (280, 560), (700, 660)]
    scenes = [detailed((96, 72), seed=seed) for seed in range(10)]
    photos = []
    for number in range(200):
        size = sizes[number % len(sizes)]
        grain = Image.effect_noise(size, 60).convert("RGB")
        photos.append(encoded(Image.blend(scenes[number % 10].resize(size), grain, 0.4), "JPEG", quality=88))
    classifier = Classifier(write_artifact(tmp_path, [f"scene {n}" for n in range(10)], 224, model=recognising(scenes)))

    found, expected = (
        np.concatenate([classifier.probabilities(see(photo)[np.newaxis]) for photo in photos])
        for see in (Preprocessing(), lambda photo: torchvision(photo, Preprocessing()))
    )
    assert (expected.argmax(axis=1) == np.arange(200) % 10).mean() > 0.9  # the network does recognise them,
    assert 0.4 < np.median(expected.max(axis=1)) < 0.95  # with probabilities that differences in pixels can change
    assert np.abs(found - expected).max() <= 0.02
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99


def recognising(scenes: list[Image.Image]) -> bytes:
    """An ONNX network that compares the means of its 28 x 28 cells with those of the scenes."""
    seen = np.stack([Preprocessing()(encoded(scene.resize((340, 256)), "PNG")) for scene in scenes])
    cells = seen.reshape(len(scenes), 3, 28, 8, 28, 8).mean(axis=(3, 5)).reshape(len(scenes), -1)
    cells -= cells.mean(axis=0)
    weight = GAIN * cells / np.linalg.norm(cells, axis=1, keepdims=True)
    return onnx_model(
        [
            helper.make_node("AveragePool", ["photos"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Flatten", ["cells"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
        ],
        {"weight": weight, "bias": np.zeros(len(scenes))},
        output_shape=["batch", len(scenes)],
        size=224,
    )


def test_a_known_colour_gives_known_values() -> None:
    pixels = Preprocessing()(any_photo((124, 116, 104), size=(300, 300), format="PNG"))
    assert pixels[:, 100, 100] == pytest.approx([0.0056, -0.0049, 0.0082], abs=1e-4)


def test_a_crop_larger_than_the_scaled_photo_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"preprocessing\.crop \(65\) must be between 1 and preprocessing\.resize \(64\)"
    ):
        Preprocessing(resize=64, crop=65)
