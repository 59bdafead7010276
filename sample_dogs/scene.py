"""A drawing as vectors: groups of filled outlines, with marks and strokes on them."""

from dataclasses import dataclass, field, replace

import numpy as np

from sample_dogs.geometry import Points, placed

Colour = tuple[int, int, int]
Paint = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0-255."""


@dataclass(kw_only=True, slots=True)
class Group:
    """Outlines that merge into one silhouette with one contour line."""

    shapes: list[tuple[Points, Colour]]
    marks: list[tuple[Points, Paint]] = field(default_factory=list)
    """Filled outlines, clipped to the silhouette; each entry is one outline or an array of them."""
    strokes: list[tuple[Points, Paint, float]] = field(default_factory=list)
    """Open lines with their width, also clipped; each entry is one line or an array of them."""
    ink: Colour | None = None
    """Colour of the contour line; None draws none."""
    ink_width: float = 0.022
    shade: float = 0.0
    """Strength, 0-1, of the shadow along the lower edge of the silhouette."""

    def placed(
        self, *, scale: float = 1.0, angle: float = 0.0, x: float = 0.0, y: float = 0.0, flip: bool = False
    ) -> "Group":
        """The group mirrored, scaled, rotated and moved, including its line widths."""

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
    """Left, top, right and bottom of all filled outlines."""
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


def with_opacity(colour: Colour, opacity: int) -> Paint:
    """The colour with an opacity of 0-255."""
    return (*colour, opacity)


def _rgb(red: float, green: float, blue: float) -> Colour:
    return (round(min(max(red, 0), 255)), round(min(max(green, 0), 255)), round(min(max(blue, 0), 255)))
