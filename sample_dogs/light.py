"""Random changes of brightness, contrast, colour, sharpness and noise."""

import numpy as np
from PIL import Image, ImageFilter


def tint(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The photo with random brightness, contrast, gamma and white balance, sometimes blurred, with noise."""
    warmth, brightness, contrast, gamma = rng.uniform((-0.09, 0.86, 0.84, 0.84), (0.09, 1.12, 1.12, 1.1))
    level = np.arange(256) / 255
    table: list[int] = []
    for gain in (1 + warmth, 1 + rng.uniform(-0.02, 0.02), 1 - warmth):
        curve = ((level**gamma - 0.5) * contrast + 0.5) * brightness * gain
        table += np.clip(np.rint(curve * 255), 0, 255).astype(int).tolist()
    photo = photo.point(table)
    if rng.random() < 0.3:
        photo = photo.filter(ImageFilter.BoxBlur(float(rng.uniform(0.3, 1.2))))
    return _grainy(photo, rng, strength=float(rng.uniform(0, 7)), shade=float(rng.uniform(-0.18, 0.18)))


def _grainy(photo: Image.Image, rng: np.random.Generator, *, strength: float, shade: float) -> Image.Image:
    """Add sensor noise, and darken the photo towards one side."""
    pixels = np.asarray(photo).astype(np.float32)
    height, width, _ = pixels.shape
    side = 1 + shade * np.linspace(-1, 1, width, dtype=np.float32)
    grain = rng.standard_normal((height, width), dtype=np.float32) * strength
    pixels *= side[None, :, None]
    pixels += grain[:, :, None]
    np.clip(pixels, 0, 255, out=pixels)
    return Image.fromarray(pixels.astype(np.uint8))
