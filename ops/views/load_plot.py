"""An image of a load on an autoscaled endpoint: its calls in each minute, and its instances, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw

from ops.atomic_write import atomic_write
from ops.views.contact_sheet import CARD, PAPER, QUIET, RIGHT, TEXT, TRACK, WRONG, Colour
from ops.views.text import fitted, typeface

CALLS: Colour = (74, 124, 196)
THRESHOLD: Colour = (206, 138, 24)
DESIRED: Colour = (134, 138, 146)
_WIDTH, _HEIGHT = 1200, 760
_LEFT, _RIGHT, _TOP = 96, 1168, 150
_CALLS_BOTTOM, _INSTANCES_TOP, _BOTTOM = 430, 500, 680
_BETWEEN_LABELS = 44


@dataclass(frozen=True, slots=True)
class LoadMinute:
    """One minute of the load. answered: the calls that ended well in it; failed: those that did not."""

    answered: int
    failed: int


@dataclass(frozen=True, slots=True)
class FleetLook:
    """The instances at a moment, in minutes since the start."""

    minute: float
    desired: int
    in_service: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRun:
    """What was measured or simulated. target: calls in a minute for each instance."""

    minutes: Sequence[LoadMinute]
    looks: Sequence[FleetLook]
    target: float
    kind: str
    """What the calls are: real or simulated."""
    axis: str
    """What the minutes are of."""

    @property
    def counts(self) -> list[int]:
        """The numbers of instances in service, one after the other: 1, 3, 1."""
        found = [look.in_service for look in self.looks]
        return [count for before, count in pairwise([-1, *found]) if count != before]


def load_plot(run: LoadRun, path: Path, *, title: str) -> None:
    """Write the image as a PNG. Raises `ValueError` if nothing was measured."""
    if not run.minutes or not run.looks:
        raise ValueError("There is no minute of a load to draw; measure at least one.")
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER)
    pen = ImageDraw.Draw(picture)
    _header(pen, run, title)
    _calls(pen, run)
    _instances(pen, run)
    _minutes_axis(pen, run)
    png = BytesIO()
    picture.save(png, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, png.getvalue())


def _header(pen: ImageDraw.ImageDraw, run: LoadRun, title: str) -> None:
    figure = " to ".join(map(str, run.counts))
    left = _RIGHT - typeface(30).getlength(figure)
    pen.text((left, 26), figure, TEXT, typeface(30))
    pen.text((_RIGHT, 64), "instances in service", QUIET, typeface(15), anchor="ra")
    pen.text((32, 26), fitted(title, 30, left - 64), TEXT, typeface(30))
    answered, failed = (sum(getattr(each, name) for each in run.minutes) for name in ("answered", "failed"))
    calls = f"{answered + failed:,} {run.kind} calls, {failed:,} failed"
    facts = f"{calls} · target {run.target:g} calls a minute for each instance"
    pen.text((32, 68), facts, QUIET, typeface(16))


def _legend(pen: ImageDraw.ImageDraw, y: int, entries: Sequence[tuple[str, Colour, bool]]) -> None:
    """Names with the colours of their lines, from the right edge. Dashed lines are drawn dashed."""
    x = float(_RIGHT)
    for name, colour, dashed in reversed(entries):
        x -= typeface(15).getlength(name)
        pen.text((x, y), name, TEXT, typeface(15))
        _line(pen, [(x - 38, y + 10), (x - 8, y + 10)], colour, dashed=dashed)
        x -= 62


def _calls(pen: ImageDraw.ImageDraw, run: LoadRun) -> None:
    pen.text((32, _TOP - 34), "Calls in each minute", TEXT, typeface(18))
    entries = [("answered", CALLS, False), ("target for the instances in service", THRESHOLD, True)]
    if any(each.failed for each in run.minutes):
        entries.insert(1, ("failed", WRONG, False))
    _legend(pen, _TOP - 32, entries)
    limits = [(look.minute, run.target * look.in_service) for look in run.looks]
    most = max([each.answered + each.failed for each in run.minutes] + [int(value) for _, value in limits])
    step = _step(most, 5)
    top = step * (most // step + 1)  # room above the highest line
    _panel(pen, _TOP, _CALLS_BOTTOM, range(0, top + 1, step), top)
    for number, each in enumerate(run.minutes):
        x0, x1 = _x(run, number) + 2, _x(run, number + 1) - 2
        base = float(_CALLS_BOTTOM)
        for count, colour in ((each.answered, CALLS), (each.failed, WRONG)):
            height = (_CALLS_BOTTOM - _TOP) * count / top
            if count:
                pen.rectangle((x0, base - height, x1, base - 1), fill=colour)
            base -= height
    _steps(pen, run, limits, _TOP, _CALLS_BOTTOM, top, THRESHOLD, dashed=True)


def _instances(pen: ImageDraw.ImageDraw, run: LoadRun) -> None:
    pen.text((32, _INSTANCES_TOP - 34), "Instances", TEXT, typeface(18))
    _legend(pen, _INSTANCES_TOP - 32, [("in service", RIGHT, False), ("desired", DESIRED, True)])
    top = max(max(look.desired, look.in_service) for look in run.looks) + 1
    step = _step(top, 4)
    _panel(pen, _INSTANCES_TOP, _BOTTOM, range(0, top + 1, step), top)
    in_service = [(look.minute, float(look.in_service)) for look in run.looks]
    desired = [(look.minute, float(look.desired)) for look in run.looks]
    _steps(pen, run, in_service, _INSTANCES_TOP, _BOTTOM, top, RIGHT)
    _steps(pen, run, desired, _INSTANCES_TOP, _BOTTOM, top, DESIRED, dashed=True)


def _panel(pen: ImageDraw.ImageDraw, top: int, bottom: int, ticks: range, most: int) -> None:
    pen.rectangle((_LEFT, top, _RIGHT, bottom), fill=CARD, outline=TRACK)
    for tick in ticks:
        y = bottom - (bottom - top) * tick / most
        pen.line((_LEFT, y, _RIGHT, y), fill=TRACK)
        pen.text((_LEFT - 12, y), str(tick), QUIET, typeface(14), anchor="rm")


def _minutes_axis(pen: ImageDraw.ImageDraw, run: LoadRun) -> None:
    step = _step(len(run.minutes), (_RIGHT - _LEFT) // _BETWEEN_LABELS)
    for number in range(0, len(run.minutes) + 1, step):
        x = _x(run, number)
        pen.line((x, _BOTTOM, x, _BOTTOM + 6), fill=QUIET)
        pen.text((x, _BOTTOM + 12), str(number), QUIET, typeface(14), anchor="ma")
    pen.text(((_LEFT + _RIGHT) / 2, _BOTTOM + 40), run.axis, QUIET, typeface(16), anchor="ma")


def _step(most: int, ticks: int) -> int:
    """The smallest round distance with at most so many ticks."""
    for power in (1, 10, 100, 1000, 10_000):
        for first in (1, 2, 5):
            if most <= first * power * ticks:
                return first * power
    return most


def _x(run: LoadRun, minute: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * minute / len(run.minutes)


def _steps(
    pen: ImageDraw.ImageDraw,
    run: LoadRun,
    values: Sequence[tuple[float, float]],
    top: int,
    bottom: int,
    most: int,
    colour: Colour,
    *,
    dashed: bool = False,
) -> None:
    """A line that keeps each value until the next one."""
    ends = [minute for minute, _ in values[1:]] + [float(len(run.minutes))]
    points = []
    for (minute, value), end in zip(values, ends, strict=True):
        y = bottom - (bottom - top) * value / most
        points += [(_x(run, min(minute, len(run.minutes))), y), (_x(run, min(end, len(run.minutes))), y)]
    _line(pen, points, colour, dashed=dashed)


def _line(
    pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: Colour, *, dashed: bool = False
) -> None:
    if not dashed:
        pen.line(list(points), fill=colour, width=3)
        return
    dash, gap, along = 9.0, 6.0, 0.0  # the pattern goes on over the corners
    for (x0, y0), (x1, y1) in pairwise(points):
        length = abs(x1 - x0) + abs(y1 - y0)  # the lines are horizontal or vertical
        done = 0.0
        while done < length:
            place = along % (dash + gap)
            part = min(length - done, (dash if place < dash else dash + gap) - place)
            if place < dash:
                a, b = done / length, (done + part) / length
                pen.line(
                    (x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0)),
                    fill=colour,
                    width=3,
                )
            done += part
            along += part
