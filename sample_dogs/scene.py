"""A drawing before it has pixels: groups of filled outlines, with what is painted on them."""

from dataclasses import dataclass, field, replace

import numpy as np

from sample_dogs.geometry import Points, placed

Colour = tuple[int, int, int]
Paint = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0-255."""


@dataclass(kw_only=True, slots=True)
class Group:
    """Outlines that merge into one silhouette, inked around once."""

    shapes: list[tuple[Points, Colour]]
    marks: list[tuple[Points, Paint]] = field(default_factory=list)
    """Painted on the shapes and cut off at the silhouette; one outline each, or many alike."""
    strokes: list[tuple[Points, Paint, float]] = field(default_factory=list)
    """Open lines with their width, one or many alike, cut off at the silhouette as well."""
    ink: Colour | None = None
    """Colour of the line around the silhouette; None draws no line."""
    ink_width: float = 0.022
    shade: float = 0.0
    """Strength of the soft shadow along the silhouette's lower edge, 0-1."""

    def placed(
        self, *, scale: float = 1.0, angle: float = 0.0, x: float = 0.0, y: float = 0.0, flip: bool = False
    ) -> "Group":
        """The same group, mirrored, scaled, turned and moved, line widths included."""

        def move(points: Points) -> Points:
            return placed(points, scale=scale, angle=angle, x=x, y=y, flip=flip)

        return replace(
            self,
            shapes=[(move(points), colour) for points, colour in self.shapes],
            marks=[(move(points), paint) for points, paint in self.marks],
            strokes=[(move(points), paint, width * scale) for points, paint, width in self.strokes],
            ink_width=self.ink_width * scale,
        )


def bounds(groups: list[Group]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of everything that is filled."""
    every = np.concatenate([points for group in groups for points, _ in group.shapes])
    left, top = every.min(axis=0)
    right, bottom = every.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def tone(colour: Colour, factor: float) -> Colour:
    """The colour darker (factor below 1) or lighter (above 1, towards white)."""
    if factor <= 1:
        return _rgb(*(channel * factor for channel in colour))
    return _rgb(*(channel + (255 - channel) * (factor - 1) for channel in colour))


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    return _rgb(*(a + (b - a) * share for a, b in zip(first, second, strict=True)))


def clear(colour: Colour, opacity: int) -> Paint:
    """The colour as see-through paint."""
    return (*colour, opacity)


def _rgb(red: float, green: float, blue: float) -> Colour:
    return (round(min(max(red, 0), 255)), round(min(max(green, 0), 255)), round(min(max(blue, 0), 255)))
