"""The whole dog in each pose. The unit is the height of a medium-sized dog; the ground is y = 0."""

import numpy as np

from sample_dogs import head, markings
from sample_dogs.breeds import Breed
from sample_dogs.coat import Strokes, blob, curled, edged, hairs, spots, stripes
from sample_dogs.geometry import Points, closed, ellipse, limb
from sample_dogs.scene import Colour, Group, tone, with_opacity
from sample_dogs.tails import tail

COLLARS: tuple[Colour, ...] = (
    (206, 62, 62),
    (52, 110, 190),
    (64, 150, 100),
    (236, 176, 58),
    (140, 84, 168),
    (72, 74, 82),
)
INK = 0.015


def standing(breed: Breed, rng: np.random.Generator) -> list[Group]:
    """A standing dog that faces right; its head is in profile or frontal."""
    length, belly, back = breed.length, breed.leg, breed.leg + breed.depth
    chest, rump = 0.38 * length, -0.4 * length
    stride = rng.uniform(-1, 1, 4) * 0.07
    torso = closed(
        [
            (0.34 * length, -back),
            (0.0, -back + 0.035),
            (-0.3 * length, -back + 0.02),
            (-0.49 * length, -back + 0.14 * breed.depth),
            (-0.53 * length, -back + 0.5 * breed.depth),
            (-0.4 * length, -belly - 0.06),
            (-0.2 * length, -belly - breed.tuck),
            (0.08 * length, -belly - 0.4 * breed.tuck),
            (0.36 * length, -belly + 0.03),
            (0.5 * length, -belly - 0.3 * breed.depth),
            (0.5 * length, -belly - 0.72 * breed.depth),
        ]
    )
    nod = rng.uniform(-0.04, 0.05)
    neck_end = (0.46 * length + 0.6 * breed.neck, -back - 0.62 * breed.neck + nod)
    neck = limb([(0.3 * length, -back + 0.4 * breed.depth), neck_end], (0.66 * breed.depth, 0.62 * breed.head_size))
    near = [_foreleg(breed, chest, stride[0]), _hindleg(breed, rump, stride[1])]
    far = [_foreleg(breed, chest + 0.09, stride[2]), _hindleg(breed, rump + 0.1, stride[3])]
    coat = breed.torso or breed.coat
    body = _furry(breed, rng, [torso, neck], near, coat)
    body.marks[:0] = markings.side(breed, rng)
    x, y = neck_end[0] + 0.1 * breed.head_size, neck_end[1] - 0.12 * breed.head_size
    tilt = rng.uniform(-7, 7)
    face = head.front(breed, rng, turn=rng.uniform(-0.1, 0.9)) if rng.random() < 0.45 else head.side(breed, rng)
    return [
        *tail(breed, rng, x=-0.49 * length, y=-back + 0.12 * breed.depth),
        _furry(breed, rng, [], far, tone(coat, 0.8)),
        body,
        *_collar(rng, neck_end, breed),
        *(group.placed(scale=breed.head_size, angle=tilt, x=x, y=y) for group in face),
    ]


def sitting(breed: Breed, rng: np.random.Generator) -> list[Group]:
    """A sitting dog from the front."""
    wide = 0.5 + 0.5 * breed.depth / 0.48
    tall = 0.5 + 0.22 * breed.length + 0.35 * breed.leg
    paw, lean = 0.055 * breed.bone, rng.uniform(-0.05, 0.05)
    half = [(0.17, -tall), (0.27 * wide, -0.72 * tall), (0.33 * wide, -0.35 * tall), (0.33 * wide, -0.04)]
    torso = closed(
        [*((x + lean * -y / tall, y) for x, y in half), *((lean * -y / tall - x, y) for x, y in reversed(half))]
    )
    coat = breed.torso or breed.coat
    haunches = [ellipse(side * 0.33 * wide, -0.2, 0.2 * wide, 0.22, side * 14) for side in (-1, 1)]
    hind_paws = [ellipse(side * 0.4 * wide, -paw, 0.13 * breed.bone, 1.1 * paw) for side in (-1, 1)]
    reach = 0.3 + 0.5 * breed.leg
    legs: list[Points] = []
    for side in (-1, 1):
        x = side * 0.125 * wide + rng.uniform(-0.02, 0.02)
        leg = limb(
            [(x * 1.15, -reach), (x, -0.5 * reach), (x, -0.07)],
            (0.2 * breed.bone, 0.14 * breed.bone, 0.135 * breed.bone),
        )
        legs += [leg, ellipse(x, -paw, 0.105 * breed.bone, 1.15 * paw)]
    trunk = _furry(breed, rng, [torso], [], coat)
    trunk.marks += markings.front(breed, rng, torso, tall=tall, lean=lean)
    crown = (lean, -tall - 0.22 * breed.head_size - 0.1 * breed.neck)
    neck = limb([(lean * 0.8, -0.8 * tall), crown], (0.42 * wide, 0.6 * breed.head_size))
    trunk.shapes.append((edged(neck, breed, rng), coat))
    turn, tilt = rng.uniform(-0.8, 0.8), rng.uniform(-10, 10)
    return [
        *tail(breed, rng, x=-0.3 * wide, y=-0.16, low=True),
        _furry(breed, rng, haunches, [], tone(coat, 0.93)),
        _feet(breed, rng, hind_paws, tone(coat, 0.93)),
        trunk,
        _feet(breed, rng, legs, coat),
        *_collar(rng, (crown[0], crown[1] + 0.3 * breed.head_size), breed, level=True),
        *(
            g.placed(scale=breed.head_size * 1.06, angle=tilt, x=crown[0], y=crown[1] - 0.14 * breed.head_size)
            for g in head.front(breed, rng, turn=turn)
        ),
    ]


def portrait(breed: Breed, rng: np.random.Generator) -> list[Group]:
    """Head and shoulders from the front; the frame cuts them off at y = 0."""
    coat = breed.torso or breed.coat
    wide = 0.3 + 0.28 * breed.depth / 0.48
    bust = closed(
        [
            (-0.2, -0.62),
            (0.2, -0.62),
            (0.36, -0.35),
            (wide, -0.05),
            (wide, 0.4),
            (-wide, 0.4),
            (-wide, -0.05),
            (-0.36, -0.35),
        ]
    )
    trunk = _furry(breed, rng, [bust], [], coat)
    trunk.marks += markings.front(breed, rng, bust, tall=0.62, lean=0.0)
    tilt, turn = rng.uniform(-12, 12), rng.uniform(-0.9, 0.9)
    return [
        trunk,
        *_collar(rng, (0.0, -0.36), breed, level=True),
        *(g.placed(scale=0.9, angle=tilt, y=-0.78) for g in head.front(breed, rng, turn=turn)),
    ]


def _furry(
    breed: Breed, rng: np.random.Generator, trunk: list[Points], legs: list[list[Points]], colour: Colour
) -> Group:
    """Trunk and legs as one silhouette with the breed's coat, patterns and foot colour."""
    group = Group(shapes=[], ink=tone(colour, 0.4), ink_width=INK, shade=0.16)
    for outline in trunk:
        shape = edged(outline, breed, rng)
        if outline[:, 1].max() < 0.1:  # hair ends at the ground; a bust continues below the frame
            shape[:, 1] = np.minimum(shape[:, 1], 0.0)
        group.shapes.append((shape, colour))
        group.strokes += hairs(outline, breed, colour, rng)
    for outline in [*trunk, *(leg[0] for leg in legs)]:
        if "spots" in breed.markings:
            group.marks += spots(outline, breed, rng, size=0.042)
        if "brindle" in breed.markings:
            group.marks += stripes(outline, breed, rng)
    for leg, foot in legs:
        group.shapes += [(leg, colour), (foot, colour)]
        if breed.feet:
            group.marks.append((_sock(breed, rng, foot), with_opacity(breed.feet, 255)))
        if breed.texture == "curly":
            cuff = ellipse(foot[:, 0].mean() - 0.02, -0.2, 0.14, 0.12)
            group.shapes.append((curled(cuff, size=0.07), colour))
        group.strokes += _toes(foot, colour)
    return group


def _sock(breed: Breed, rng: np.random.Generator, foot: Points) -> Points:
    (left, top), (right, _) = foot.min(axis=0) - 0.1, foot.max(axis=0) + 0.1
    top += 0.1 - 0.35 * breed.leg
    corners = [(left, 0.1), (left, top), ((left + right) / 2, top - 0.03), (right, top), (right, 0.1)]
    return blob(corners, rng, wobble=0.01)


def _feet(breed: Breed, rng: np.random.Generator, parts: list[Points], colour: Colour) -> Group:
    return _furry(breed, rng, [], [[parts[i], parts[i + 1]] for i in range(0, len(parts), 2)], colour)


def _foreleg(breed: Breed, x: float, swing: float) -> list[Points]:
    high, thick = breed.leg, breed.bone
    leg = limb(
        [(x - 0.02, -high - 0.3 * breed.depth), (x, -0.55 * high), (x + swing, -0.06)],
        (0.26 * thick, 0.155 * thick, 0.125 * thick),
    )
    return [leg, ellipse(x + swing + 0.045, -0.055 * thick, 0.115 * thick, 0.062 * thick)]


def _hindleg(breed: Breed, x: float, swing: float) -> list[Points]:
    high, thick = breed.leg, breed.bone
    leg = limb(
        [
            (x + 0.0, -high - 0.42 * breed.depth),
            (x + 0.05, -0.86 * high),
            (x - 0.09 + swing / 2, -0.42 * high),
            (x - 0.04 + swing, -0.06),
        ],
        (0.3 * thick + 0.06, 0.3 * thick, 0.13 * thick, 0.12 * thick),
    )
    return [leg, ellipse(x + swing + 0.005, -0.055 * thick, 0.115 * thick, 0.062 * thick)]


def _toes(foot: Points, colour: Colour) -> Strokes:
    (left, top), (right, bottom) = foot.min(axis=0), foot.max(axis=0)
    lines: Strokes = []
    for share in (0.55, 0.78):
        x = left + share * (right - left)
        lines.append(
            (np.array([(x, bottom), (x + 0.008, (top + 2 * bottom) / 3)]), with_opacity(tone(colour, 0.4), 200), 0.014)
        )
    return lines


def _collar(rng: np.random.Generator, end: tuple[float, float], breed: Breed, *, level: bool = False) -> list[Group]:
    """A collar with a tag, on 40% of the dogs."""
    colour = COLLARS[int(rng.integers(len(COLLARS)))]
    if rng.random() > 0.4:
        return []
    x, y, half = end[0], end[1], 0.3 * breed.head_size + 0.03
    if level:
        band = limb([(x - half, y - 0.03), (x, y + 0.03), (x + half, y - 0.03)], (0.06, 0.065, 0.06))
        tag = ellipse(x, y + 0.1, 0.045, 0.05)
    else:
        x, y = x - 0.3 * breed.neck, y + 0.32 * breed.neck
        band = limb(
            [(x - 0.7 * half, y - 0.75 * half), (x + 0.1, y), (x + 0.75 * half, y + 0.7 * half)], (0.055, 0.06, 0.055)
        )
        tag = ellipse(x + 0.6 * half, y + 0.7 * half + 0.05, 0.035, 0.04)
    return [
        Group(shapes=[(tag, (244, 204, 92))], ink=(120, 90, 30), ink_width=0.01, shade=0.2),
        Group(shapes=[(band, colour)], ink=tone(colour, 0.45), ink_width=0.01, shade=0.2),
    ]
