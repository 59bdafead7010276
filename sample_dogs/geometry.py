"""Curves and outlines as arrays of points, x to the right and y down."""

from collections.abc import Sequence
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""One outline or line, shape (n, 2), or an array of m such lines, shape (m, n, 2)."""
Control = Sequence[tuple[float, float]]
"""Points that a curve passes through."""


def closed(control: Control | Points, samples: int = 7) -> Points:
    """A smooth closed outline through every control point (uniform Catmull-Rom)."""
    here = np.asarray(control, dtype=np.float64)
    return _catmull_rom(np.roll(here, 1, 0), here, np.roll(here, -1, 0), np.roll(here, -2, 0), samples)


def curve(control: Control | Points, samples: int = 7) -> Points:
    """A smooth open line through every control point, ends included."""
    inner = np.asarray(control, dtype=np.float64)
    padded = np.concatenate([2 * inner[:1] - inner[1:2], inner, 2 * inner[-1:] - inner[-2:-1]])
    line = _catmull_rom(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], samples)
    return np.concatenate([line, inner[-1:]])


def _catmull_rom(before: Points, start: Points, end: Points, after: Points, samples: int) -> Points:
    t = np.linspace(0, 1, samples, endpoint=False)[None, :, None]
    before, start, end, after = before[:, None], start[:, None], end[:, None], after[:, None]
    bend = 2 * before - 5 * start + 4 * end - after
    twist = 3 * start - before - 3 * end + after
    line: Points = 0.5 * (2 * start + (end - before) * t + bend * t**2 + twist * t**3)
    return line.reshape(-1, 2)


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0, samples: int = 26) -> Points:
    """An ellipse with centre (x, y), rotated by `angle` degrees."""
    turn = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    return placed(np.stack([rx * np.cos(turn), ry * np.sin(turn)], axis=1), angle=angle, x=x, y=y)


def limb(spine: Control | Points, widths: Sequence[float], samples: int = 7) -> Points:
    """A tube with round ends along a smooth spine; `widths` are its diameters at the control points."""
    line = curve(spine, samples)
    half = np.interp(np.linspace(0, len(widths) - 1, len(line)), np.arange(len(widths)), np.asarray(widths) / 2)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    left, right = line + across * half[:, None], line - across * half[:, None]
    tip = _cap(line[-1], across[-1], along[-1], half[-1])
    root = _cap(line[0], -across[0], -along[0], half[0])
    return np.concatenate([left, tip, right[::-1], root])


def _cap(centre: Points, across: Points, along: Points, radius: float) -> Points:
    turn = np.linspace(0, np.pi, 8)[1:-1, None]
    cap: Points = centre + radius * (np.cos(turn) * across + np.sin(turn) * along)
    return cap


def placed(
    points: Points, *, scale: float = 1.0, angle: float = 0.0, x: float = 0.0, y: float = 0.0, flip: bool = False
) -> Points:
    """Points mirrored left to right, scaled, rotated clockwise on screen by `angle` degrees, then moved."""
    c, s = cos(radians(angle)) * scale, sin(radians(angle)) * scale
    mirror = -1.0 if flip else 1.0
    moved: Points = points @ np.array([[c * mirror, s * mirror], [-s, c]]) + np.array([x, y])
    return moved


def mirrored(points: Points) -> Points:
    """The outline mirrored at x = 0."""
    return placed(points, flip=True)


def resampled(points: Points, spacing: float) -> Points:
    """The same closed outline with points at a distance of about `spacing`."""
    ring = np.concatenate([points, points[:1]])
    travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    stops = np.linspace(0, travelled[-1], max(8, int(travelled[-1] / spacing)), endpoint=False)
    spaced: Points = np.stack([np.interp(stops, travelled, ring[:, axis]) for axis in (0, 1)], axis=1)
    return spaced


def outward(points: Points) -> Points:
    """The outward unit normals at the points of a closed outline."""
    along = np.roll(points, -1, 0) - np.roll(points, 1, 0)
    area = np.sum(points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1])
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) * np.sign(area)
    unit: Points = normal / np.maximum(np.hypot(normal[:, 0], normal[:, 1]), 1e-9)[:, None]
    return unit
