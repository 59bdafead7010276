"""The head from the front and from the side. The unit is the width of the skull, the origin its centre."""

import numpy as np

from sample_dogs import ears, face
from sample_dogs.breeds import WHITE, Breed
from sample_dogs.coat import Marks, Strokes, blob, curled, edged, hairs, spots, stripes
from sample_dogs.geometry import Points, closed, curve, ellipse
from sample_dogs.scene import Colour, Group, tone, with_opacity

INK = 0.026


def front(breed: Breed, rng: np.random.Generator, *, turn: float) -> list[Group]:
    """The frontal face. `turn`, from -1 to 1, turns it to the left (below 0) or to the right."""
    coat, c = breed.coat, breed.cheeks
    half = [(0.28, -0.45), (0.45, -0.22), (0.49 * c, 0.1), (0.34 * c, 0.38), (0.16, 0.5)]
    skull = closed([(0.0, -0.5), *half, (0.0, 0.54), *((-x, y) for x, y in reversed(half))])
    snout = face.Snout.of(breed, turn)
    behind, before = ears.front(breed, rng, turn=turn)
    return [
        *behind,
        Group(
            shapes=[(edged(skull, breed, rng, amount=1.1), coat)],
            marks=_front_marks(breed, rng, skull, snout, turn),
            strokes=hairs(skull, breed, coat, rng, amount=0.5) + _wrinkles(breed, turn),
            ink=tone(coat, 0.42),
            ink_width=INK,
            shade=0.16,
        ),
        *face.front_snout(breed, rng, snout),
        *face.front_eyes(breed, rng, turn),
        *before,
        *_topknot(breed, rng, 0.0, -0.44),
    ]


def side(breed: Breed, rng: np.random.Generator) -> list[Group]:
    """The profile, looking to the right."""
    coat, m, w = breed.coat, breed.muzzle_length, 0.6 + 0.4 * breed.muzzle_width
    back = [(-0.4, 0.38), (-0.46, 0.08), (-0.38, -0.28), (-0.1, -0.48), (0.18, -0.43)]
    muzzle = [(0.33, -0.18), (0.36 + 0.5 * m, -0.12), (0.38 + m, -0.1), (0.46 + m, 0.03), (0.4 + m, 0.2 * w)]
    outline = closed([*back, *muzzle, (0.32 + 0.5 * m, 0.31 * w), (0.2, 0.36), (-0.1, 0.5)])
    shapes = [(outline, coat)]
    if breed.texture != "smooth":
        shapes.append((edged(closed([*back, (0.22, -0.2), (0.18, 0.3), (-0.1, 0.52)]), breed, rng), coat))
    behind, before = ears.side(breed, rng)
    return [
        *behind,
        *face.side_tongue(rng, m, w),
        Group(
            shapes=shapes,
            marks=_side_marks(breed, rng, outline, m, w),
            strokes=hairs(outline, breed, coat, rng, amount=0.4) + _wrinkles(breed, 0.4),
            ink=tone(coat, 0.42),
            ink_width=INK,
            shade=0.14,
        ),
        *face.side_features(breed, rng, m, w),
        *before,
        *_topknot(breed, rng, -0.1, -0.42),
    ]


def _front_marks(breed: Breed, rng: np.random.Generator, skull: Points, snout: face.Snout, turn: float) -> Marks:
    marks: Marks = []
    coat, lean = breed.coat, 0.1 * turn
    if "brindle" in breed.markings:
        marks += stripes(skull, breed, rng, spacing=0.1)
    if "spots" in breed.markings:
        marks += spots(skull, breed, rng, size=0.045)
        for x in (-0.205 + 0.09 * turn, 0.205 + 0.09 * turn):
            marks.append((ellipse(x, -0.07, 0.15, 0.15), with_opacity(coat, 255)))
    if "tan_points" in breed.markings:
        for side in (-1, 1):
            marks.append(
                (ellipse(side * 0.2 + lean, -0.235, 0.07, 0.05, side * -12), with_opacity(breed.marking_colour, 255))
            )
            cheek = ellipse(side * 0.3 + 0.5 * snout.x, 0.32, 0.18, 0.17, side * -30)
            marks.append((cheek, with_opacity(breed.marking_colour, 255)))
    if "husky_face" in breed.markings:
        lobe = [(0.06, -0.02), (0.12, -0.24), (0.27, -0.27), (0.36, -0.06), (0.56, 0.08), (0.5, 0.45), (0.2, 0.7)]
        shape = [(lean, 0.02), *((x + lean, y) for x, y in lobe), *((lean - x, y) for x, y in reversed(lobe))]
        marks.append((closed(shape), with_opacity(WHITE, 255)))
    if "blaze" in breed.markings:
        width = rng.uniform(0.045, 0.085)
        half = [(width, -0.56), (width, -0.25), (width + 0.02, 0.0), (0.24, 0.2), (0.26, 0.4), (0.14, 0.62)]
        shape = [(x + lean, y) for x, y in half] + [(lean - x, y) for x, y in reversed(half)]
        marks.append((blob(shape, rng, wobble=0.012), with_opacity(WHITE, 255)))
    if "dark_muzzle" in breed.markings:
        dark = breed.muzzle_colour or breed.marking_colour
        for x in (-0.21 + lean, 0.21 + lean):
            marks.append((ellipse(x, -0.04, 0.15, 0.16), with_opacity(dark, 110)))
        for grow, opacity in ((1.4, 70), (1.22, 130), (1.08, 200)):
            marks.append((ellipse(snout.x, snout.y, snout.rx * grow, snout.ry * grow), with_opacity(dark, opacity)))
    return marks


def _side_marks(breed: Breed, rng: np.random.Generator, outline: Points, m: float, w: float) -> Marks:
    marks: Marks = []
    if "brindle" in breed.markings:
        marks += stripes(outline, breed, rng, spacing=0.1)
    if "spots" in breed.markings:
        marks += spots(outline, breed, rng, size=0.045)
        marks.append((ellipse(0.15, -0.11, 0.15, 0.15), with_opacity(breed.coat, 255)))
    if "tan_points" in breed.markings:
        marks.append((ellipse(0.2, -0.27, 0.07, 0.05), with_opacity(breed.marking_colour, 255)))
    if "husky_face" in breed.markings:
        shape = [
            (0.5 + m, -0.2),
            (0.3, -0.1),
            (0.2, -0.3),
            (0.06, -0.24),
            (0.02, 0.0),
            (-0.2, 0.14),
            (-0.4, 0.5),
            (0.3, 0.6),
        ]
        marks.append((closed([*shape, (0.6 + m, 0.3)]), with_opacity(WHITE, 255)))
    if breed.muzzle_colour and "husky_face" not in breed.markings:
        colour: Colour = breed.muzzle_colour
        edge = blob([(0.3, -0.3), (0.27, 0.05), (0.1, 0.34), (0.2, 0.6)], rng, wobble=0.01)
        far = np.array([[0.6 + m, 0.6], [0.6 + m, -0.3]])
        marks.append((np.concatenate([edge[: len(edge) * 3 // 4], far]), with_opacity(colour, 255)))
    if "blaze" in breed.markings:
        marks.append(
            (
                closed([(-0.12, -0.56), (-0.1, -0.43), (0.16, -0.36), (0.3, -0.08), (0.5, -0.2), (0.2, -0.6)]),
                with_opacity(WHITE, 255),
            )
        )
    if "dark_muzzle" in breed.markings:
        dark = breed.muzzle_colour or breed.marking_colour
        marks.append((ellipse(0.16, -0.1, 0.16, 0.15), with_opacity(dark, 110)))
        marks.append((ellipse(0.34 + m / 2, 0.05, 0.2 + m / 2, 0.3 * w), with_opacity(dark, 90)))
    return marks


def _wrinkles(breed: Breed, turn: float) -> Strokes:
    strokes: Strokes = []
    coat = breed.coat
    if "wrinkles" in breed.markings:
        x = 0.1 * turn
        for y, half in ((-0.32, 0.18), (-0.24, 0.13), (-0.17, 0.08)):
            fold = curve(
                [(x - half, y + 0.05), (x - half / 2, y), (x, y + 0.03), (x + half / 2, y), (x + half, y + 0.05)]
            )
            strokes.append((fold, with_opacity(tone(coat, 0.45), 170), 0.022))
    return strokes


def _topknot(breed: Breed, rng: np.random.Generator, x: float, y: float) -> list[Group]:
    if breed.texture != "curly":
        return []
    puff = ellipse(x, y, 0.4, 0.3)
    return [
        Group(
            shapes=[(curled(puff, size=0.13), breed.coat)],
            strokes=hairs(puff, breed, breed.coat, rng, amount=1.2),
            ink=tone(breed.coat, 0.42),
            ink_width=INK,
            shade=0.16,
        )
    ]
