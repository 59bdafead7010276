"""The positions of coat colours on the body: saddle, chest, belly and collar."""

import numpy as np

from sample_dogs.breeds import WHITE, Breed
from sample_dogs.coat import Marks, blob
from sample_dogs.geometry import Points, ellipse
from sample_dogs.scene import Paint, tone, with_opacity

Place = tuple[float, float, float]
"""Along the body in body lengths, towards the chest; down from the back in chest depths; an offset downwards."""

HAUNCH: list[Place] = [(-0.62, 0, -0.1), (-0.56, 1, 0.02), (-0.3, 1, -0.02), (-0.18, 0, 0.3), (0.19, 0, -0.2)]
NECK: list[Place] = [(0.3, 0, -0.6), (0.33, 0, 0.18), (0.48, 0, 0.12), (0.9, 0, -0.2)]
SADDLE: list[Place] = [
    (-0.44, 0, -0.1),
    (-0.4, 0, 0.16),
    (-0.12, 0, 0.27),
    (0.2, 0, 0.25),
    (0.36, 0, 0.06),
    (0.34, 0, -0.2),
]
BELLY: list[Place] = [
    (-0.56, 0.74, 0.1),
    (-0.2, 0.74, -0.02),
    (0.1, 0.74, 0.03),
    (0.6, 0.74, -0.14),
    (0.6, 3, 0),
    (-0.5, 3, 0),
]
CHEST: list[Place] = [(0.4, 0, 0.1), (0.43, 1, -0.05), (0.36, 1, 0.1), (0.7, 1, 0), (0.7, 0, 0)]
COLLAR: list[Place] = [
    (0.26, 0, -0.25),
    (0.27, 0, 0.12),
    (0.38, 1, 0.04),
    (0.62, 1, 0),
    (0.64, 0, 0),
    (0.5, 0, -0.3),
]


def side(breed: Breed, rng: np.random.Generator) -> Marks:
    """The marks on a body from the side, lowest layer first."""
    layers: list[tuple[list[Place], Paint]] = []
    if "saddle" in breed.markings:
        tan, black = with_opacity(breed.coat, 255), with_opacity(breed.marking_colour, 255)
        layers += [(HAUNCH, tan), (NECK, tan), (SADDLE, black)]
    if "pale_belly" in breed.markings:
        layers.append((BELLY, with_opacity(WHITE, 255) if breed.feet else with_opacity(tone(breed.coat, 1.5), 150)))
    if "pale_chest" in breed.markings:
        layers.append((CHEST, with_opacity(WHITE, 255)))
    if "collar" in breed.markings:
        layers.append((COLLAR, with_opacity(WHITE, 255)))
    back = breed.leg + breed.depth
    return [
        (
            blob([(along * breed.length, -back + down * breed.depth + further) for along, down, further in patch], rng),
            paint,
        )
        for patch, paint in layers
    ]


def front(breed: Breed, rng: np.random.Generator, torso: Points, *, tall: float, lean: float) -> Marks:
    """The marks on a body from the front; `lean` is the horizontal distance of the neck from the centre."""
    marks: Marks = []
    if "saddle" in breed.markings:
        for x in (torso[:, 0].min(), torso[:, 0].max()):
            marks.append((ellipse(x, -0.62 * tall, 0.17, 0.4 * tall), with_opacity(breed.coat, 255)))
            marks.append((ellipse(x, -0.45 * tall, 0.1, 0.3 * tall), with_opacity(breed.marking_colour, 255)))
    if breed.markings & {"pale_chest", "collar", "pale_belly"} and not breed.torso:
        pale = tone(breed.coat, 1.4) if breed.markings == {"pale_belly"} else WHITE
        half = 0.2 if "collar" in breed.markings else 0.15
        bib = [(0.22, -1.3 * tall), (half, -0.8 * tall), (half * 0.9, -0.4 * tall)]
        shape = [*bib, (0.0, -0.22 * tall), *((-x, y) for x, y in reversed(bib))]
        marks.append((blob([(x + lean, y) for x, y in shape], rng), with_opacity(pale, 255)))
    if "tan_points" in breed.markings:
        for x in (lean - 0.09, lean + 0.09):
            marks.append((ellipse(x, -0.76 * tall, 0.07, 0.055), with_opacity(breed.marking_colour, 255)))
    return marks
