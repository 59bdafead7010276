"""What the coat looks like up close: its outline, its hairs, its spots and stripes."""

import numpy as np

from ops.sample.breeds import Breed
from ops.sample.geometry import Points, closed, curve, ellipse, outward, resampled
from ops.sample.scene import Colour, Paint, clear, tone

Strokes = list[tuple[Points, Paint, float]]
Marks = list[tuple[Points, Paint]]


def edged(points: Points, breed: Breed, rng: np.random.Generator, *, amount: float = 1.0) -> Points:
    """The outline as the breed's coat has it: smooth, in curls, or in tufts."""
    if breed.texture == "curly":
        return curled(points, size=0.075 * amount)
    if breed.texture == "shaggy":
        return tufted(points, rng, size=0.05 * amount)
    return points


def curled(points: Points, *, size: float) -> Points:
    """The outline in round curls, `size` wide."""
    ring = resampled(points, size / 4)
    wave = np.abs(np.sin(np.arange(len(ring)) * np.pi / 5))
    curls: Points = ring + outward(ring) * (size * 0.42 * wave)[:, None]
    return curls


def tufted(points: Points, rng: np.random.Generator, *, size: float) -> Points:
    """The outline in tufts of hair that lean along it."""
    ring = resampled(points, size * 0.95)
    normal = outward(ring)
    along = np.stack([-normal[:, 1], normal[:, 0]], axis=1)
    down = np.sign(along[:, 1:2]) + (along[:, 1:2] == 0)
    tip = np.where(np.arange(len(ring)) % 2 == 0, 1.0, 0.0)[:, None] * rng.uniform(0.55, 1.25, (len(ring), 1))
    tufts: Points = ring + size * tip * (0.75 * normal + 0.6 * along * down)
    return tufts


def hairs(points: Points, breed: Breed, colour: Colour, rng: np.random.Generator, *, amount: float = 1.0) -> Strokes:
    """Short strokes over the area of an outline, lighter and darker than the coat."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    number = round(
        {"smooth": 130, "shaggy": 210, "curly": 150}[breed.texture] * amount * (right - left) * (bottom - top)
    )
    starts = rng.uniform((left, top), (right, bottom), (number, 2))
    lengths = rng.uniform(0.6, 1.3, number) * {"smooth": 0.045, "shaggy": 0.1, "curly": 0.05}[breed.texture]
    angles = rng.normal(2.2, 0.35, number)
    shades = (clear(tone(colour, 0.62), 80), clear(tone(colour, 1.45), 90))
    strokes: Strokes = []
    for i, (start, length, angle) in enumerate(zip(starts, lengths, angles, strict=True)):
        if breed.texture == "curly":
            turn = angle + np.linspace(0, 4.2, 7)
            line = start + 0.5 * length * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        else:
            step = length * np.array([np.cos(angle), np.sin(angle)])
            line = np.array([start, start + 0.5 * step + (0, 0.08 * length), start + step])
        strokes.append((line, shades[i % 2], 0.008 if breed.texture == "smooth" else 0.011))
    return strokes


def spots(points: Points, breed: Breed, rng: np.random.Generator, *, size: float = 0.05) -> Marks:
    """Round ink blots, well apart, over the area of an outline."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    step = size * 2.9
    marks: Marks = []
    for row, y in enumerate(np.arange(top, bottom + step, step)):
        for x in np.arange(left - step * (row % 2) / 2, right + step, step):
            dx, dy, rx, squash, angle = rng.uniform((-0.3, -0.3, 0.5, 0.7, 0), (0.3, 0.3, 1.15, 1.0, 180))
            blot = ellipse(x + dx * step, y + dy * step, rx * size, rx * size * squash, angle, samples=12)
            marks.append((blot, clear(breed.marking_colour, 255)))
    return marks


def stripes(points: Points, breed: Breed, rng: np.random.Generator, *, spacing: float = 0.075) -> Strokes:
    """Brindle: broken, tapering stripes down the ribs."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    strokes: Strokes = []
    for x in np.arange(left, right, spacing):
        y = top + rng.uniform(0, 0.1)
        while y < bottom:
            length, lean, bend, width = rng.uniform((0.1, -0.05, -0.03, 0.014), (0.3, 0.02, 0.03, 0.034))
            line = curve([(x, y), (x + lean / 2 + bend, y + length / 2), (x + lean, y + length)], samples=4)
            strokes.append((line, clear(breed.marking_colour, 215), width))
            y += length + rng.uniform(0.02, 0.08)
    return strokes


def blob(control: list[tuple[float, float]], rng: np.random.Generator, *, wobble: float = 0.02) -> Points:
    """A smooth patch through control points that are each a little off."""
    return closed(np.asarray(control) + rng.uniform(-wobble, wobble, (len(control), 2)), samples=6)
