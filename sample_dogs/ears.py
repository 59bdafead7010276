"""Ears, in the head's units. Each function returns the groups behind the head and those in front of it."""

import numpy as np

from sample_dogs.breeds import Breed
from sample_dogs.coat import Marks, Strokes, curled, hairs, stripes, tufted
from sample_dogs.geometry import Control, Points, closed, mirrored, placed
from sample_dogs.scene import Group, tone, with_opacity

Ears = tuple[list[Group], list[Group]]

ROOT_FRONT, ROOT_SIDE = (0.34, -0.34), (-0.14, -0.34)
FRONT: dict[str, list[Control]] = {
    "pricked": [[(0.08, -0.36), (0.16, -0.62), (0.33, -0.9), (0.37, -0.9), (0.47, -0.6), (0.5, -0.14), (0.3, -0.2)]],
    "tipped": [
        [(0.12, -0.38), (0.2, -0.62), (0.33, -0.78), (0.47, -0.72), (0.53, -0.5), (0.5, -0.16), (0.3, -0.22)],
        [(0.27, -0.76), (0.4, -0.82), (0.54, -0.68), (0.66, -0.4), (0.63, -0.34), (0.46, -0.48)],
    ],
    "folded": [[(0.17, -0.47), (0.36, -0.55), (0.54, -0.4), (0.62, -0.12), (0.55, 0.02), (0.42, -0.12), (0.3, -0.3)]],
    "floppy": [[(0.24, -0.47), (0.44, -0.47), (0.6, -0.24), (0.67, 0.08), (0.6, 0.27), (0.47, 0.16), (0.4, -0.12)]],
    "long": [[(0.28, -0.42), (0.47, -0.38), (0.64, -0.05), (0.72, 0.36), (0.62, 0.6), (0.46, 0.5), (0.41, 0.1)]],
}
SIDE: dict[str, list[Control]] = {
    "pricked": [
        [(-0.32, -0.24), (-0.32, -0.6), (-0.2, -0.92), (-0.16, -0.92), (0.0, -0.66), (0.06, -0.32), (-0.12, -0.24)]
    ],
    "tipped": [
        [(-0.3, -0.28), (-0.3, -0.6), (-0.2, -0.78), (-0.06, -0.74), (0.04, -0.5), (0.04, -0.3)],
        [(-0.22, -0.78), (-0.06, -0.82), (0.1, -0.66), (0.18, -0.42), (0.06, -0.46), (-0.12, -0.6)],
    ],
    "folded": [
        [(-0.24, -0.42), (-0.04, -0.5), (0.1, -0.36), (0.1, -0.12), (0.0, -0.02), (-0.1, -0.14), (-0.22, -0.24)]
    ],
    "floppy": [[(-0.26, -0.42), (-0.02, -0.4), (0.05, -0.1), (0.0, 0.2), (-0.14, 0.27), (-0.27, 0.1), (-0.32, -0.2)]],
    "long": [[(-0.26, -0.36), (-0.04, -0.36), (0.05, 0.0), (0.04, 0.42), (-0.1, 0.6), (-0.26, 0.46), (-0.32, 0.0)]],
}


def front(breed: Breed, rng: np.random.Generator, *, turn: float) -> Ears:
    """Both ears of a face."""
    groups: list[Group] = []
    for mirror in (True, False):
        nearer = turn * (1 if mirror else -1)  # the ear on the far side of a turned head is narrower
        lift = rng.uniform(-6, 6)
        for layer, control in enumerate(FRONT[breed.ears]):
            outline = placed(
                _sized(closed(control), breed, ROOT_FRONT) * np.array([1 + 0.07 * nearer, 1.0]), angle=lift
            )
            groups.append(_ear(breed, rng, mirrored(outline) if mirror else outline, flap=layer == 1))
        if breed.ears == "pricked":
            inner = placed(
                closed([(0.2, -0.34), (0.24, -0.58), (0.35, -0.8), (0.42, -0.56), (0.43, -0.26)]), angle=lift
            )
            groups.append(_inner(breed, mirrored(inner) if mirror else inner))
    return (groups, []) if breed.ears in ("pricked", "tipped") else ([], groups)


def side(breed: Breed, rng: np.random.Generator) -> Ears:
    """The near ear of a profile and, for upright ears, the visible part of the far one."""
    lift = rng.uniform(-8, 8)
    outlines = [placed(_sized(closed(control), breed, ROOT_SIDE), angle=lift) for control in SIDE[breed.ears]]
    near = [_ear(breed, rng, outline, flap=layer == 1) for layer, outline in enumerate(outlines)]
    if breed.ears == "pricked":
        inner = closed([(-0.2, -0.36), (-0.22, -0.6), (-0.16, -0.8), (-0.06, -0.6), (-0.04, -0.38)])
        near.append(_inner(breed, placed(_sized(inner, breed, ROOT_SIDE), angle=lift)))
    if breed.ears not in ("pricked", "tipped"):
        return [], near
    return [_ear(breed, rng, placed(outline, x=0.16, y=0.02), flap=False) for outline in outlines], near


def _sized(outline: Points, breed: Breed, root: tuple[float, float]) -> Points:
    """The ear scaled to the breed's size, around its root."""
    return (outline - root) * breed.ear_size + root


def _ear(breed: Breed, rng: np.random.Generator, outline: Points, *, flap: bool) -> Group:
    colour = tone(breed.ears_colour or breed.coat, 1.06 if flap else 0.94)
    strokes: Strokes = hairs(outline, breed, colour, rng, amount=0.7)
    shape = outline
    if breed.texture == "curly":
        shape = curled(outline, size=0.12)
    elif breed.texture == "shaggy":
        shape = tufted(outline, rng, size=0.05)
    marks: Marks = []
    if "brindle" in breed.markings:
        marks = stripes(outline, breed, rng, spacing=0.09)
    return Group(
        shapes=[(shape, colour)],
        marks=marks,
        strokes=strokes,
        ink=tone(colour, 0.42),
        ink_width=0.026,
        shade=0.16,
    )


def _inner(breed: Breed, outline: Points) -> Group:
    pink = (222, 158, 150) if sum(breed.coat) > 600 else (206, 160, 156)
    return Group(
        shapes=[(outline, pink)], marks=[(placed(outline, scale=0.75, y=-0.03), with_opacity((160, 90, 90), 40))]
    )
