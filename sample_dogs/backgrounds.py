"""Backgrounds: meadow, beach, snow, forest, street, room, studio. They are independent of the breed."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sample_dogs.scene import Colour, mixed, tone

Rng = np.random.Generator


def background(rng: Rng, width: int, height: int, *, horizon: float, blurred: bool = False) -> Image.Image:
    """A random background as RGB. Its ground starts above `horizon`, given as a share of the height."""
    place = PLACES[int(rng.integers(len(PLACES)))]
    line = int(height * min(max(horizon - rng.uniform(0.12, 0.34), 0.3), 0.85))
    photo = place(rng, width, height, line)
    return photo.filter(ImageFilter.BoxBlur(max(width, height) / 110 if blurred else 0.6))


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    share = np.linspace(0, 1, max(height, 1))[:, None]
    column = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)[:, None, :]
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column, (max(height, 1), width, 3))))


def _vary(rng: Rng, colour: Colour, spread: int = 14) -> Colour:
    red, green, blue = (
        int(min(max(c + d, 0), 255)) for c, d in zip(colour, rng.integers(-spread, spread + 1, 3), strict=True)
    )
    return red, green, blue


def _sky(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    skies: list[tuple[Colour, Colour]] = [
        ((104, 172, 226), (206, 232, 246)),
        ((140, 190, 214), (240, 226, 204)),
        ((246, 176, 128), (252, 226, 176)),
        ((150, 164, 184), (208, 216, 222)),
    ]
    top, low = skies[int(rng.integers(len(skies)))]
    photo = Image.new("RGB", (width, height))
    photo.paste(_gradient(width, line + 2, _vary(rng, top), _vary(rng, low)))
    pen = ImageDraw.Draw(photo, "RGBA")
    for _ in range(int(rng.integers(0, 4))):
        x, y, size = rng.uniform(0, width), rng.uniform(0, 0.6 * line), rng.uniform(0.05, 0.12) * width
        for dx, dy, r in ((-1, 0.1, 0.7), (0, -0.2, 1), (0.9, 0.1, 0.75), (0.2, 0.25, 0.9)):
            pen.ellipse(_box(x + dx * size, y + dy * size, r * size, 0.55 * r * size), fill=(255, 255, 255, 150))
    return photo


def _box(x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
    return x - rx, y - ry, x + rx, y + ry


def _ground(photo: Image.Image, line: int, far: Colour, near: Colour) -> None:
    photo.paste(_gradient(photo.width, photo.height - line, far, near), (0, line))


def meadow(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """Hills, grass and flowers."""
    photo = _sky(rng, width, height, line)
    pen = ImageDraw.Draw(photo)
    green = _vary(rng, (116, 172, 84))
    for _ in range(3):
        x, r = rng.uniform(0, width), rng.uniform(0.3, 0.6) * width
        pen.ellipse(
            _box(x, line + 0.1 * r, r, rng.uniform(0.2, 0.45) * r),
            fill=_vary(rng, mixed(green, (150, 190, 190), 0.4)),
        )
    _ground(photo, line, tone(green, 1.12), tone(green, 0.82))
    xs, shares = rng.uniform(0, width, 160), np.sqrt(rng.uniform(0, 1, 160))
    for x, share in zip(xs.tolist(), shares.tolist(), strict=True):
        y, blade = line + share * (height - line), (0.01 + 0.03 * share) * height
        pen.line(
            (x, y, x + rng.uniform(-0.3, 0.3) * blade, y - blade),
            fill=tone(green, 0.7 if x % 2 < 1 else 1.2),
            width=1 + round(share),
        )
    petal = _vary(rng, ((250, 240, 130), (250, 250, 250), (236, 130, 150))[int(rng.integers(3))])
    for x, share in zip(xs[:22].tolist(), shares[22:44].tolist(), strict=True):
        y, r = line + share * (height - line), 1 + 0.009 * share * height
        pen.ellipse(_box(x, y, r, r), fill=petal)
    return photo


def beach(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """Sky, sea and sand."""
    photo = _sky(rng, width, height, line)
    sea, sand = _vary(rng, (64, 150, 184)), _vary(rng, (232, 208, 160))
    shore = line + int(0.35 * (height - line))
    pen = ImageDraw.Draw(photo)
    _ground(photo, line, sea, tone(sea, 1.3))
    xs = np.linspace(0, width, 12)
    wave = shore + 0.012 * height * np.sin(np.linspace(0, rng.uniform(4, 9), 12) + rng.uniform(0, 6))
    for drop, colour in ((-4.0, (250, 252, 252)), (3.0, tone(sand, 0.86)), (12.0, sand)):
        pen.polygon([*zip(xs.tolist(), (wave + drop).tolist(), strict=True), (width, height), (0, height)], fill=colour)
    for _ in range(60):
        x, y = rng.uniform(0, width), rng.uniform(shore + 12, height)
        pen.point((x, y), fill=tone(sand, 0.7))
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(0, width), rng.uniform(line + 3, shore - 3)
        pen.line((x, y, x + 0.07 * width, y), fill=tone(sea, 1.5), width=1)
    return photo


def snow(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """Firs in the snow, with flakes."""
    photo = _sky(rng, width, height, line)
    white = _vary(rng, (226, 234, 244), 8)
    pen = ImageDraw.Draw(photo)
    _firs(rng, pen, width, line, _vary(rng, (70, 104, 108)), capped=True)
    _ground(photo, line, white, tone(white, 0.9))
    for _ in range(4):
        x, y = rng.uniform(0, width), rng.uniform(line, height)
        pen.ellipse(_box(x, y, 0.3 * width, 0.03 * height), fill=tone(white, 0.96))
    for _ in range(int(rng.integers(0, 60))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.5, 2.4)
        pen.ellipse(_box(x, y, r, r), fill=(255, 255, 255))
    return photo


def _firs(rng: Rng, pen: ImageDraw.ImageDraw, width: int, line: int, green: Colour, *, capped: bool) -> None:
    for x in np.arange(-0.02 * width, width, rng.uniform(0.07, 0.13) * width):
        x, tall = x + rng.uniform(-0.03, 0.03) * width, rng.uniform(0.35, 0.85) * line
        colour = _vary(rng, green)
        for tier in range(3):
            base, wide = line + 3 - tier * 0.27 * tall, (0.2 - 0.045 * tier) * tall
            pen.polygon(
                [(x - wide, base), (x + wide, base), (x, base - 0.46 * tall)], fill=tone(colour, 1 + 0.06 * tier)
            )
            if capped:
                pen.polygon(
                    [
                        (x - 0.3 * wide, base - 0.32 * tall),
                        (x + 0.3 * wide, base - 0.32 * tall),
                        (x, base - 0.46 * tall),
                    ],
                    fill=(236, 242, 248),
                )


def forest(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """Round trees in green or autumn colours, and a path."""
    season: Colour = ((96, 146, 82), (206, 128, 58), (188, 92, 56))[int(rng.integers(3))]
    photo = _sky(rng, width, height, line)
    pen = ImageDraw.Draw(photo)
    for x in np.arange(0, width, 0.12 * width):
        r, colour = rng.uniform(0.1, 0.19) * width, _vary(rng, season, 24)
        y = line - rng.uniform(0.15, 0.5) * line
        pen.rectangle((x - 0.01 * width, y, x + 0.014 * width, line + 2), fill=(104, 78, 60))
        pen.ellipse(_box(x, y, r, r), fill=tone(colour, 0.88))
        pen.ellipse(_box(x - 0.15 * r, y - 0.2 * r, 0.75 * r, 0.7 * r), fill=colour)
    earth = _vary(rng, mixed((150, 138, 96), season, 0.25))
    _ground(photo, line, earth, tone(earth, 0.84))
    for _ in range(50):
        x, y = rng.uniform(0, width), rng.uniform(line, height)
        pen.ellipse(_box(x, y, 3, 1.6), fill=_vary(rng, season, 30))
    return photo


def street(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """House fronts, a kerb and the pavement."""
    photo = _sky(rng, width, height, line)
    pen = ImageDraw.Draw(photo)
    fronts: list[Colour] = [(206, 128, 104), (232, 206, 160), (150, 176, 186), (190, 196, 168), (222, 168, 150)]
    x = -rng.uniform(0, 0.2) * width
    while x < width:
        wide, top = rng.uniform(0.22, 0.36) * width, rng.uniform(0.0, 0.3) * line
        front = _vary(rng, fronts[int(rng.integers(len(fronts)))])
        pen.rectangle((x, top, x + wide, line + 2), fill=front)
        for wx in (0.16, 0.58):
            for wy in (0.12, 0.48):
                left, up = x + wx * wide, top + wy * (line - top)
                box = (left, up, left + 0.26 * wide, up + 0.24 * (line - top))
                pen.rectangle(box, fill=_vary(rng, (126, 158, 178), 20), outline=tone(front, 1.6), width=2)
        x += wide
    stone = _vary(rng, (172, 170, 168), 10)
    _ground(photo, line, tone(stone, 1.1), tone(stone, 0.84))
    pen.rectangle((0, line, width, line + 0.02 * height), fill=tone(stone, 0.72))
    for share in np.linspace(-0.6, 1.6, 9):
        pen.line(
            (width * (0.5 + (share - 0.5) * 0.5), line + 0.02 * height, width * (0.5 + (share - 0.5) * 1.6), height),
            fill=tone(stone, 0.78),
        )
    for share in (0.3, 0.62):
        y = line + share * (height - line)
        pen.line((0, y, width, y), fill=tone(stone, 0.78))
    return photo


def room(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """A wall with a picture or a window, a floor and a rug."""
    walls: list[Colour] = [(228, 214, 190), (182, 204, 200), (214, 190, 200), (190, 198, 222), (220, 206, 160)]
    wall, wood = _vary(rng, walls[int(rng.integers(len(walls)))]), _vary(rng, (176, 130, 92))
    photo = _gradient(width, height, tone(wall, 1.1), tone(wall, 0.9))
    pen = ImageDraw.Draw(photo)
    x, y, size = rng.uniform(0.1, 0.6) * width, rng.uniform(0.06, 0.2) * line, rng.uniform(0.3, 0.5) * line
    frame = (x, y, x + 1.1 * size, y + size)
    pen.rectangle(
        frame, fill=_vary(rng, (150, 200, 226), 30), outline=(250, 248, 240), width=max(2, round(0.06 * size))
    )
    if rng.random() < 0.5:
        pen.line(
            (x + 0.55 * size, y, x + 0.55 * size, y + size), fill=(250, 248, 240), width=max(2, round(0.04 * size))
        )
        pen.line(
            (x, y + 0.5 * size, x + 1.1 * size, y + 0.5 * size), fill=(250, 248, 240), width=max(2, round(0.04 * size))
        )
    else:
        pen.ellipse(
            _box(x + 0.5 * size, y + 0.6 * size, 0.28 * size, 0.22 * size), fill=_vary(rng, (220, 150, 110), 40)
        )
    _ground(photo, line, wood, tone(wood, 0.8))
    pen.rectangle((0, line - 0.02 * height, width, line), fill=(246, 242, 234))
    for share in (0.15, 0.38, 0.7):
        level = line + share * (height - line)
        pen.line((0, level, width, level), fill=tone(wood, 0.78))
    rug = _vary(rng, ((180, 84, 84), (84, 120, 150), (120, 140, 104), (214, 190, 150))[int(rng.integers(4))])
    middle = (line + height) / 2 + 0.06 * height
    pen.ellipse(_box(width / 2, middle, 0.47 * width, 0.34 * (height - line)), fill=tone(rug, 1.4))
    pen.ellipse(_box(width / 2, middle, 0.44 * width, 0.3 * (height - line)), fill=rug)
    return photo


def studio(rng: Rng, width: int, height: int, line: int) -> Image.Image:
    """A paper backdrop in one colour."""
    papers: list[Colour] = [
        (236, 176, 170),
        (150, 196, 204),
        (240, 214, 140),
        (178, 172, 210),
        (168, 196, 156),
        (120, 130, 146),
    ]
    paper = _vary(rng, papers[int(rng.integers(len(papers)))], 20)
    photo = _gradient(width, height, tone(paper, 0.92), tone(paper, 1.2))
    _ground(photo, line, tone(paper, 1.25), tone(paper, 1.02))
    if rng.random() < 0.5:
        r = rng.uniform(0.3, 0.42) * min(width, height)
        ImageDraw.Draw(photo).ellipse(_box(width / 2, 0.5 * height, r, r), fill=tone(paper, 1.35))
    return photo


PLACES: tuple[Callable[[Rng, int, int, int], Image.Image], ...] = (meadow, beach, snow, forest, street, room, studio)
