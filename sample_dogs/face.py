"""Eyes, nose and mouth, in the head's units."""

from dataclasses import dataclass

import numpy as np

from sample_dogs.breeds import Breed
from sample_dogs.coat import Strokes, hairs, spots
from sample_dogs.geometry import Points, closed, curve, ellipse, limb, placed
from sample_dogs.scene import Colour, Group, tone, with_opacity

NOSE: Colour = (40, 34, 38)
TONGUE: Colour = (236, 120, 132)
_NOSE_FRONT = [(-0.11, -0.05), (0.0, -0.075), (0.11, -0.05), (0.08, 0.045), (0.0, 0.09), (-0.08, 0.045)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snout:
    """The muzzle of a frontal face as an ellipse: centre and radii."""

    x: float
    y: float
    rx: float
    ry: float

    @classmethod
    def of(cls, breed: Breed, turn: float) -> "Snout":
        m = breed.muzzle_length
        return cls(x=turn * (0.08 + 0.22 * m), y=0.2 + 0.13 * m, rx=0.27 * breed.muzzle_width, ry=0.18 + 0.11 * m)


def front_snout(breed: Breed, rng: np.random.Generator, snout: Snout) -> list[Group]:
    """Muzzle, nose and mouth of a frontal face; the mouth is open or closed."""
    coat = breed.coat
    colour = breed.muzzle_colour or tone(coat, 1.12)
    x, y, rx, ry = snout.x, snout.y, snout.rx, snout.ry
    bridge = limb([(x * 0.3, -0.08), (x, y)], (0.2 * breed.muzzle_width, 1.5 * rx))
    pads = [ellipse(x + side * 0.42 * rx, y + 0.2 * ry, 0.66 * rx, 0.82 * ry) for side in (-1, 1)]
    shapes = [bridge, *pads]
    lip, nose = y + 0.42 * ry, y - 0.4 * ry
    line = tone(colour, 0.4) if sum(colour) > 300 else (18, 15, 18)
    smile = [(x - 0.85 * rx, lip - 0.02), (x - 0.5 * rx, lip + 0.2 * ry), (x, lip), (x + 0.5 * rx, lip + 0.2 * ry)]
    strokes: Strokes = [
        (curve([*smile, (x + 0.85 * rx, lip - 0.02)]), with_opacity(line, 255), 0.03),
        (np.array([(x, nose), (x, lip)]), with_opacity(line, 255), 0.026),
    ]
    whiskers = [
        (x + side * 0.5 * rx + dx, y + 0.1 * ry + dy) for side in (-1, 1) for dx, dy in ((-0.04, 0), (0.04, 0.03))
    ]
    marks = [(ellipse(wx, wy, 0.012, 0.012, samples=8), with_opacity(line, 200)) for wx, wy in whiskers]
    if "spots" in breed.markings:
        marks += spots(pads[0], breed, rng, size=0.03)
    groups = _open_mouth(x, lip, rx, ry) if rng.random() < 0.6 else []
    groups.append(Group(shapes=[(points, colour) for points in shapes], marks=marks, strokes=strokes, shade=0.1))
    if "dark_muzzle" not in breed.markings:
        groups[-1].strokes[:0] = hairs(pads[0], breed, colour, rng, amount=0.4)
    return [*groups, *_nose(placed(closed(_NOSE_FRONT), scale=0.85 + 0.25 * breed.muzzle_width, x=x, y=nose), x, nose)]


def _open_mouth(x: float, lip: float, rx: float, ry: float) -> list[Group]:
    jaw = ellipse(x, lip + 0.35 * ry, 0.52 * rx, 0.62 * ry + 0.04)
    tongue = ellipse(x, lip + 0.55 * ry, 0.36 * rx, 0.5 * ry + 0.06)
    return [
        Group(shapes=[(jaw, (92, 36, 44))], ink=(40, 24, 28), ink_width=0.016),
        Group(
            shapes=[(tongue, TONGUE)],
            strokes=[(np.array([(x, lip), (x, lip + 0.75 * ry)]), (190, 76, 92, 200), 0.02)],
            ink=(150, 60, 74),
            ink_width=0.01,
            shade=0.12,
        ),
    ]


def _nose(outline: Points, x: float, y: float) -> list[Group]:
    shine = ellipse(x - 0.03, y - 0.035, 0.04, 0.018, -12, samples=12)
    return [Group(shapes=[(outline, NOSE)], marks=[(shine, (255, 255, 255, 170))], ink=(20, 16, 18), ink_width=0.01)]


def front_eyes(breed: Breed, rng: np.random.Generator, turn: float) -> list[Group]:
    """Both eyes and brows of a frontal face; sometimes the eyes are shut."""
    shut, gaze, y = rng.random() < 0.1, rng.uniform(-0.014, 0.014, 2), -0.06
    groups: list[Group] = []
    for side in (-1, 1):
        x = side * 0.205 + 0.09 * turn
        groups += _eye(breed, x, y, gaze, shut=shut)
        groups += _brow(
            breed, curve([(x - side * 0.05, y - 0.16), (x + side * 0.03, y - 0.185), (x + side * 0.09, y - 0.15)])
        )
    return groups


def _eye(breed: Breed, x: float, y: float, gaze: Points, *, shut: bool) -> list[Group]:
    coat = breed.coat
    rim: Colour = (26, 22, 26)
    if shut:
        arc = limb([(x - 0.08, y + 0.03), (x, y - 0.05), (x + 0.08, y + 0.03)], (0.03, 0.045, 0.03))
        return [Group(shapes=[(arc, rim if sum(coat) > 260 else (150, 140, 140))])]
    px, py = x + gaze[0], y + gaze[1]
    eye = Group(
        shapes=[(ellipse(x, y, 0.094, 0.1), rim)],
        marks=[
            (ellipse(x, y, 0.078, 0.084), (*breed.eyes, 255)),
            (ellipse(x, y + 0.02, 0.06, 0.06), (*tone(breed.eyes, 1.25), 140)),
            (ellipse(px, py, 0.05, 0.056), (18, 14, 18, 255)),
            (ellipse(px - 0.026, py - 0.032, 0.027, 0.027, samples=14), (255, 255, 255, 255)),
            (ellipse(px + 0.026, py + 0.032, 0.013, 0.013, samples=10), (255, 255, 255, 200)),
        ],
    )
    if sum(coat) < 260:  # the eye's dark rim would be invisible on a dark coat
        eye.ink, eye.ink_width = tone(coat, 1.35), 0.012
    return [eye]


def _brow(breed: Breed, line: Points) -> list[Group]:
    if "tan_points" in breed.markings:
        return []  # the tan points are its brows
    coat = breed.coat
    colour = tone(coat, 1.3) if sum(coat) < 260 else tone(coat, 0.72)
    return [Group(shapes=[(limb(line[::6], (0.02, 0.04, 0.02)), colour)])]


def side_features(breed: Breed, rng: np.random.Generator, m: float, w: float) -> list[Group]:
    """Eye, nose and mouth of a profile."""
    eye_x, eye_y = 0.15, -0.1
    coat = breed.muzzle_colour or breed.coat
    line = tone(coat, 0.4) if sum(coat) > 300 else (18, 15, 18)
    smile = curve([(0.4 + m, 0.1), (0.34 + 0.7 * m, 0.2 * w), (0.28 + 0.25 * m, 0.2 * w), (0.18, 0.14)])
    nose = ellipse(0.43 + m, -0.03, 0.085, 0.08, 12)
    return [
        Group(shapes=[(limb(smile[::7], (0.02, 0.032, 0.03, 0.02)), line)]),
        *_eye(breed, eye_x, eye_y, rng.uniform(-0.012, 0.012, 2), shut=rng.random() < 0.08),
        *_brow(
            breed, curve([(eye_x - 0.06, eye_y - 0.16), (eye_x + 0.02, eye_y - 0.18), (eye_x + 0.09, eye_y - 0.14)])
        ),
        *_nose(nose, 0.44 + m, -0.03),
    ]


def side_tongue(rng: np.random.Generator, m: float, w: float) -> list[Group]:
    """The tongue, in half of the profiles."""
    if rng.random() < 0.5:
        return []
    x, y = 0.3 + 0.55 * m, 0.26 * w
    tongue = limb([(x - 0.06, y - 0.1), (x + 0.02, y + 0.08), (x, y + 0.24)], (0.12, 0.15, 0.13))
    return [Group(shapes=[(tongue, TONGUE)], ink=(150, 60, 74), ink_width=0.014, shade=0.12)]
