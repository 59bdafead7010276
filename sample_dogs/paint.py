"""Rasterise the groups of a drawing."""

import numpy as np
from PIL import Image, ImageDraw

from sample_dogs.geometry import Points, outward
from sample_dogs.scene import Group

SHADE = (38, 26, 58)


def paint(canvas: Image.Image, groups: list[Group]) -> None:
    """Paint the groups on an RGB canvas, in order from back to front. Their points are in pixels of the canvas."""
    for group in groups:
        _paint(canvas, group)


def _paint(canvas: Image.Image, group: Group) -> None:
    every = np.concatenate([points for points, _ in group.shapes])
    left, top = np.maximum(np.floor(every.min(axis=0)), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(every.max(axis=0)) + 1, canvas.size).astype(int).tolist()
    if left >= right or top >= bottom:
        return  # outside the canvas

    if group.ink is not None:
        # An enlarged silhouette behind the silhouette: much faster than a wide line with round joints.
        pen = ImageDraw.Draw(canvas)
        for points, _ in group.shapes:
            pen.polygon(_flat(points + group.ink_width * outward(points)), fill=group.ink)
    if not (group.marks or group.strokes or group.shade):
        pen = ImageDraw.Draw(canvas)
        for points, colour in group.shapes:
            pen.polygon(_flat(points), fill=colour)
        return

    size, origin = (right - left, bottom - top), np.array([left, top], dtype=np.float64)
    mask = Image.new("L", size)
    layer = canvas.crop((left, top, right, bottom))
    cut, pen = ImageDraw.Draw(mask), ImageDraw.Draw(layer, "RGBA")
    for points, colour in group.shapes:
        outline = _flat(points - origin)
        cut.polygon(outline, fill=255)
        pen.polygon(outline, fill=colour)
    for points, paint in group.marks:
        for mark in _each(points - origin):
            pen.polygon(mark, fill=paint)
    for lines, paint, stroke in group.strokes:
        width = max(1, round(stroke))
        for line in _each(lines - origin):
            pen.line(line, fill=paint, width=width)
    if group.shade:
        layer.paste(SHADE, mask=_shadow(group, size, origin))
    canvas.paste(layer, (left, top), mask)


def _shadow(group: Group, size: tuple[int, int], origin: Points) -> Image.Image:
    """Mask of the shadow at the lower edge: the silhouette minus the silhouette moved up."""
    reach = 0.065 * min(size)
    lit = origin + np.array([0.35 * reach, reach])
    shadow = Image.new("L", size)
    pen = ImageDraw.Draw(shadow)
    for points, _ in group.shapes:
        pen.polygon(_flat(points - origin), fill=round(255 * group.shade))
    for points, _ in group.shapes:
        pen.polygon(_flat(points - lit), fill=0)
    return shadow


def _each(points: Points) -> list[list[float]]:
    flat: list[list[float]] = points.reshape(-1, points.shape[-2] * 2).tolist()
    return flat


def _flat(points: Points) -> list[float]:
    flat: list[float] = points.ravel().tolist()
    return flat
