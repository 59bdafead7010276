"""The texture of the coat: outline, hairs, spots and stripes."""

import numpy as np

from sample_dogs.breeds import Breed
from sample_dogs.geometry import Control, Points, closed, ellipse, outward, resampled
from sample_dogs.scene import Colour, Paint, tone, with_opacity

Strokes = list[tuple[Points, Paint, float]]
Marks = list[tuple[Points, Paint]]


def edged(points: Points, breed: Breed, rng: np.random.Generator, *, amount: float = 1.0) -> Points:
    """The outline in the breed's texture: smooth, curly or shaggy."""
    if breed.texture == "curly":
        return curled(points, size=0.075 * amount)
    if breed.texture == "shaggy":
        return tufted(points, rng, size=0.05 * amount * breed.fluff)
    return points


def curled(points: Points, *, size: float) -> Points:
    """The outline with round curls of width `size`."""
    ring = resampled(points, size / 4)
    wave = np.abs(np.sin(np.arange(len(ring)) * np.pi / 5))
    curls: Points = ring + outward(ring) * (size * 0.42 * wave)[:, None]
    return curls


def tufted(points: Points, rng: np.random.Generator, *, size: float) -> Points:
    """The outline with tufts of hair of random length that lean along it."""
    ring = resampled(points, size * 0.62)
    normal = outward(ring)
    along = np.stack([-normal[:, 1], normal[:, 0]], axis=1)
    down = np.sign(along[:, 1:2]) + (along[:, 1:2] == 0)
    rise = np.array([0.0, 0.34, 1.0])[np.arange(len(ring)) % 3][:, None]
    lengths = np.repeat(rng.uniform(0.45, 1.45, len(ring) // 3 + 1), 3)[: len(ring), None]
    tufts: Points = ring + size * rise * lengths * (0.7 * normal + 0.55 * along * down)
    return closed(tufts, samples=2)


def hairs(points: Points, breed: Breed, colour: Colour, rng: np.random.Generator, *, amount: float = 1.0) -> Strokes:
    """Short strokes over the bounding box of an outline, half darker and half lighter than the coat."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    density, length = {"smooth": (130, 0.045), "shaggy": (210, 0.1), "curly": (130, 0.05)}[breed.texture]
    number = round(density * amount * (right - left) * (bottom - top))
    starts = rng.uniform((left, top), (right, bottom), (number, 2))[:, None, :]
    angles = rng.normal(2.2, 0.35, number)[:, None]
    lengths = rng.uniform(0.6, 1.3, (number, 1, 1)) * length
    if breed.texture == "curly":
        turns = angles + np.linspace(0, 4.2, 6)
        lines = starts + 0.5 * lengths * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    else:
        steps = lengths * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        lines = np.concatenate([starts, starts + 0.5 * steps + lengths * (0, 0.08), starts + steps], axis=1)
    width = 0.008 if breed.texture == "smooth" else 0.011
    return [
        (lines[::2], with_opacity(tone(colour, 0.62), 80), width),
        (lines[1::2], with_opacity(tone(colour, 1.45), 90), width),
    ]


def spots(points: Points, breed: Breed, rng: np.random.Generator, *, size: float = 0.05) -> Marks:
    """Round, separate spots over the bounding box of an outline."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    step = size * 2.9
    columns, rows = np.meshgrid(np.arange(left - step / 2, right + step, step), np.arange(top, bottom + step, step))
    columns[::2] += step / 2
    middles = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    middles = middles + rng.uniform(-0.3, 0.3, middles.shape) * step
    radii = rng.uniform(0.45, 1.15, (len(middles), 1)) * rng.uniform((0.8, 0.8), (1, 1), middles.shape) * size
    return [
        (middles[:, None] + radii[:, None] * ellipse(0, 0, 1, 1, samples=12), with_opacity(breed.marking_colour, 255))
    ]


def stripes(points: Points, breed: Breed, rng: np.random.Generator, *, spacing: float = 0.075) -> Marks:
    """Brindle: interrupted vertical stripes with pointed ends."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    marks: list[Points] = []
    for x in np.arange(left, right, spacing):
        y = top + rng.uniform(-0.1, 0.1)
        while y < bottom:
            length, lean, bend, width = rng.uniform((0.12, -0.06, -0.04, 0.012), (0.32, 0.02, 0.03, 0.024))
            share = np.linspace(0, 1, 7)
            line = np.stack([x + lean * share + bend * np.sin(np.pi * share), y + length * share], axis=1)
            side = np.stack([width * np.sin(np.pi * share), np.zeros(7)], axis=1)
            marks.append(np.concatenate([line + side, (line - side)[::-1]]))
            y += length * rng.uniform(0.8, 1.1)
    return [(np.array(marks).reshape(-1, 14, 2), with_opacity(breed.marking_colour, 225))]


def blob(control: Control, rng: np.random.Generator, *, wobble: float = 0.02) -> Points:
    """A smooth patch through randomly moved control points."""
    return closed(np.asarray(control) + rng.uniform(-wobble, wobble, (len(control), 2)), samples=6)
