"""Draw one photo: a dog in a pose, in front of a background, with random lighting."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from sample_dogs import body
from sample_dogs.backgrounds import background
from sample_dogs.breeds import Breed
from sample_dogs.geometry import ellipse
from sample_dogs.light import tint
from sample_dogs.paint import paint
from sample_dogs.scene import Group, bounds, mixed

Pose = Callable[[Breed, np.random.Generator], list[Group]]
POSES: dict[str, Pose] = {"standing": body.standing, "sitting": body.sitting, "portrait": body.portrait}

SUPERSAMPLING = 2
"""The dog is painted at this multiple of the photo's size and then reduced, so that its lines are smooth."""


def draw(breed: Breed, rng: np.random.Generator, *, pose: str | None = None) -> Image.Image:
    """An RGB photo of one dog, 256-416 pixels on its shorter side. The same generator state gives the same pixels."""
    pose = pose or str(rng.choice(list(POSES), p=[0.45, 0.3, 0.25]))
    width, height = _size(rng)
    groups = POSES[pose](_varied(breed, rng), rng)
    groups, horizon = _framed(groups, rng, width, height, pose)

    photo = background(rng, width, height, horizon=horizon, blurred=pose == "portrait")
    if pose != "portrait":
        _cast_shadow(photo, groups)
    canvas = photo.resize((width * SUPERSAMPLING, height * SUPERSAMPLING), Image.Resampling.NEAREST)
    paint(canvas, [group.placed(scale=SUPERSAMPLING) for group in groups])
    return tint(canvas.reduce(SUPERSAMPLING), rng)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    shorter = int(rng.integers(256, 417))
    longer = round(shorter * float(rng.choice([1.0, 1.15, 1.33, 1.5], p=[0.2, 0.25, 0.35, 0.2])))
    return (longer, shorter) if rng.random() < 0.6 else (shorter, longer)


def _varied(breed: Breed, rng: np.random.Generator) -> Breed:
    """A copy of the breed with small random changes of colour and proportions."""
    depth, warmth = rng.uniform(-0.1, 0.08), rng.uniform(0, 0.08)
    fade = (0, 0, 0) if depth < 0 else (255, 255, 255)
    coat = mixed(mixed(breed.coat, fade, abs(depth)), (190, 120, 60), warmth if sum(breed.coat) < 700 else warmth / 2)
    return replace(
        breed,
        coat=coat,
        length=breed.length * rng.uniform(0.95, 1.05),
        leg=breed.leg * rng.uniform(0.94, 1.06),
        head_size=breed.head_size * rng.uniform(0.95, 1.07),
        bone=breed.bone * rng.uniform(0.94, 1.08),
    )


def _framed(
    groups: list[Group], rng: np.random.Generator, width: int, height: int, pose: str
) -> tuple[list[Group], float]:
    """The groups in pixels, inside the photo's central square, and the ground's position as a share of the height."""
    left, top, right, bottom = bounds(groups)
    flip = bool(rng.random() < 0.5)
    square = min(width, height)
    if pose == "portrait":
        bottom = 0.0
        scale = rng.uniform(0.84, 0.98) * square / max(right - left, bottom - top)
        ground = float(height)
        scale = max(scale, 0.72 * height / (bottom - top)) if height > width else scale
    else:
        scale = rng.uniform(0.7, 0.93) * square / max(right - left, bottom - top)
        slack = 0.94 * square - (bottom - top) * scale
        ground = (height + square) / 2 - slack * rng.uniform(0.2, 0.6)
    spare = max(0.0, 0.9 * square - (right - left) * scale) / 2
    middle = width / 2 + rng.uniform(-1, 1) * spare
    x = middle - (left + right) / 2 * scale * (-1 if flip else 1)
    return [group.placed(scale=scale, flip=flip, x=x, y=ground) for group in groups], ground / height


def _cast_shadow(photo: Image.Image, groups: list[Group]) -> None:
    left, _, right, bottom = bounds(groups)
    middle, half = (left + right) / 2, (right - left) / 2
    for grow, opacity in ((1.04, 22), (0.97, 26), (0.88, 32), (0.76, 34)):
        shadow = ellipse(middle, bottom - 0.035 * half, grow * half, 0.105 * grow * half)
        ImageDraw.Draw(photo, "RGBA").polygon(shadow.ravel().tolist(), fill=(20, 16, 30, opacity))
