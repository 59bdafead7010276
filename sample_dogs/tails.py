"""Tails; the origin is the root at the rump."""

import numpy as np

from sample_dogs.breeds import Breed
from sample_dogs.coat import curled, hairs, spots, tufted
from sample_dogs.geometry import Control, Points, ellipse, limb
from sample_dogs.scene import Group, bounds, tone, with_opacity

SHAPES: dict[str, tuple[Control, tuple[float, ...]]] = {
    "sabre": ([(0.04, 0.03), (-0.11, -0.08), (-0.2, -0.28), (-0.15, -0.52)], (0.12, 0.1, 0.09, 0.04)),
    "plume": ([(0.04, 0.02), (-0.14, 0.04), (-0.32, 0.1), (-0.5, 0.02), (-0.6, -0.14)], (0.1, 0.17, 0.23, 0.2, 0.06)),
    "thin": ([(0.04, 0.03), (-0.15, 0.02), (-0.34, -0.06), (-0.5, -0.22)], (0.1, 0.075, 0.05, 0.02)),
    "docked": ([(0.04, 0.02), (-0.05, -0.04), (-0.1, -0.1)], (0.1, 0.09, 0.07)),
    "curled": ([(0.03, 0.05), (-0.1, -0.1), (-0.04, -0.3), (0.13, -0.28), (0.15, -0.12), (0.05, -0.08)], (0.1,) * 6),
    "over_back": (
        [(0.0, 0.1), (-0.12, -0.1), (-0.02, -0.34), (0.2, -0.3), (0.32, -0.12)],
        (0.1, 0.13, 0.17, 0.16, 0.06),
    ),
    "pompom": ([(0.04, 0.03), (-0.06, -0.12), (-0.12, -0.3)], (0.07, 0.06, 0.06)),
}


def tail(breed: Breed, rng: np.random.Generator, *, x: float, y: float, low: bool = False) -> list[Group]:
    """The tail with its root at (x, y), at a random angle; `low` is for a sitting dog, whose tail lies beside it."""
    spine, widths = SHAPES[breed.tail]
    fluff = 1.6 if breed.texture == "shaggy" and breed.tail != "plume" else 1.0
    outline = limb(spine, [width * breed.bone * fluff for width in widths])
    wag = rng.uniform(-14, 14) + (-25 if low and breed.tail not in ("plume", "docked", "over_back") else 0)
    colour = breed.marking_colour if "saddle" in breed.markings else breed.coat
    shape = tufted(outline, rng, size=0.06 * breed.fluff) if breed.texture == "shaggy" else outline
    shapes = [(shape, colour)]
    if breed.tail == "pompom":
        puff = ellipse(-0.15, -0.4, 0.16, 0.15)
        shapes.append((curled(puff, size=0.08), colour))
    marks = spots(outline, breed, rng, size=0.03) if "spots" in breed.markings else []
    if breed.tail_tip:
        marks.append((_tip(spine), with_opacity(breed.tail_tip, 255)))
    group = Group(
        shapes=shapes,
        marks=marks,
        strokes=hairs(outline, breed, colour, rng, amount=1.2),
        ink=tone(colour, 0.4),
        ink_width=0.015,
        shade=0.14,
    )
    wagged = group.placed(angle=wag, x=x, y=y)
    below_ground = max(0.0, bounds([wagged])[3])
    return [wagged.placed(y=-below_ground)]


def _tip(spine: Control) -> Points:
    end_x, end_y = spine[-1]
    return ellipse(end_x, end_y, 0.16, 0.16)
