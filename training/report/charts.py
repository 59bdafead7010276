"""The charts of the report, as inline SVG without scripts, fonts or requests.

Colours are CSS variables of the page, so charts follow its light or dark scheme. No information is given by colour
alone: lines have names, cells have numbers, and every chart has a description for screen readers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from training.evaluation.calibration import Reliability
from training.report.findings import Findings, display_name

_LEFT, _TOP, _BOTTOM = 66, 14, 40
_LETTER = 6.6  # pixels of an average letter
_DASHES = ("", "6 4", "2 3")


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plot area with axes, which converts values to pixels."""

    width: int
    height: int
    right: int
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        inner_width, inner_height = self.width - _LEFT - self.right, self.height - _TOP - _BOTTOM
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return round(_LEFT + across * inner_width, 1), round(_TOP + (1 - up) * inner_height, 1)

    def axes(self, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], x_name: str, y_name: str) -> list[str]:
        parts = []
        for value, text in y_ticks.items():
            left, y = self.at(self.x[0], value)
            end, _ = self.at(self.x[1], value)
            parts.append(f'<line class="grid" x1="{left}" y1="{y}" x2="{end}" y2="{y}"/>')
            parts.append(_text(left - 7, y + 4, text, "end"))
        for value, text in x_ticks.items():
            x, bottom = self.at(value, self.y[0])
            parts.append(_text(x, bottom + 17, text, "middle"))
        centre, bottom = self.at(sum(self.x) / 2, self.y[0])
        parts.append(_text(centre, bottom + 35, x_name, "middle", "axis"))
        middle = (_TOP + self.height - _BOTTOM) / 2
        turned = f'transform="rotate(-90 12 {middle})"'
        return [*parts, _text(12, middle + 4, y_name, "middle", "axis", turned)]


def curves(series: Mapping[str, Mapping[int, float]], *, name: str, kept: int, percent: bool = False) -> Markup:
    """One line per series: its value after each epoch. Epoch 0 is the state before the first epoch.

    kept: the epoch in the artifact, marked by a vertical line.
    """
    values = [value for line in series.values() for value in line.values()]
    first, epochs = (end(epoch for line in series.values() for epoch in (kept, *line)) for end in (min, max))
    low, high = (min(*values, 0.9), 1.0) if percent else (0.0, max(values) or 1.0)
    y_ticks = _ticks(low, high, percent=percent)
    y_range = (min(y_ticks), max(y_ticks))
    frame = _Frame(560, 280, 136, (first, max(epochs, first + 1)), y_range)
    step = max(1, math.ceil(epochs / 8))
    x_ticks = {float(epoch): str(epoch) for epoch in range(first, epochs + 1, step)}
    parts = frame.axes(x_ticks, y_ticks, "epoch", name)
    x, bottom = frame.at(kept, y_range[0])
    parts.append(f'<line class="kept" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>')
    ends = _apart([frame.at(*max(line.items()))[1] for line in series.values()])
    for number, ((label, line), end) in enumerate(zip(series.items(), ends, strict=True)):
        places = [frame.at(epoch, value) for epoch, value in sorted(line.items())]
        points = " ".join(f"{x},{y}" for x, y in places)
        dash = f'stroke-dasharray="{_DASHES[number % len(_DASHES)]}"'
        parts.append(f'<polyline class="line s{number}" {dash} points="{points}"/>')
        parts += [f'<circle class="dot s{number}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in places if len(places) <= 40]
        last = f"{100 * line[max(line)]:.1f} %" if percent else f"{line[max(line)]:.3f}"
        parts.append(_text(places[-1][0] + 9, end + 4, f"{label} {last}", "start", f"name s{number}"))
    changes = "; ".join(
        f"{label} from {line[min(line)]:.4f} to {line[max(line)]:.4f}" for label, line in series.items()
    )
    return _svg(frame.width, frame.height, f"{name} over {epochs} epochs: {changes}. Epoch {kept} is kept.", parts)


def reliability_diagram(found: Reliability) -> Markup:
    """Accuracy by confidence. They are equal on the dashed line."""
    frame = _Frame(400, 320, 24, (0, 1), (0, 1))
    tenths = {tick / 5: f"{tick * 20} %" for tick in range(6)}
    parts = frame.axes(tenths, tenths, "confidence", "accuracy")
    total = sum(each.count for each in found.bins)
    for each in found.bins:
        if not each.count:
            continue
        left, top = frame.at(each.low, each.accuracy)
        right, bottom = frame.at(each.high, 0)
        _, expected = frame.at(0, each.confidence)
        note = f"{each.count} predictions: confidence {each.confidence:.1%}, accuracy {each.accuracy:.1%}"
        upper, lower = min(top, expected), max(top, expected)
        # Bins of few photos say little, so they are paler.
        strength = 0.35 + 0.65 * min(1.0, each.count / total * 10)
        parts.append(
            f'<g opacity="{strength:.2f}"><title>{escape(note)}</title>'
            f'<rect class="bar" x="{left + 1}" y="{top}" width="{right - left - 2:.1f}" height="{bottom - top:.1f}"/>'
            f'<rect class="gap" x="{left + 1}" y="{upper}" width="{right - left - 2:.1f}" '
            f'height="{lower - upper:.1f}"/></g>'
        )
    (x1, y1), (x2, y2) = frame.at(0, 0), frame.at(1, 1)
    parts.append(f'<line class="diagonal" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    bins = [
        f"{each.accuracy:.0%} correct of {each.count} at {each.confidence:.0%}" for each in found.bins if each.count
    ]
    description = f"Expected calibration error {found.ece:.4f}. {'; '.join(bins)}."
    return _svg(frame.width, frame.height, description, parts)


def confusion_matrix(found: Findings, breeds: Sequence[str]) -> Markup:
    """Photos of some breeds (rows) by predicted breed (columns). Predictions of other breeds are in column `other`."""
    index = {label: i for i, label in enumerate(found.labels)}
    chosen = [index[breed] for breed in breeds]
    size, cell = len(chosen), 34
    longest = max(len(_short(breed)) for breed in breeds) * _LETTER
    left, top = round(longest) + 16, round(0.71 * longest) + 26
    worst = max((found.matrix[i, j] for i in chosen for j in chosen if i != j), default=1) or 1
    parts = []
    for column, label in enumerate([*breeds, "other"]):
        x = left + (column + 0.5) * cell
        turned = f'transform="rotate(-45 {x} {top - 8})"'
        parts.append(_text(x, top - 8, _short(label), "start", "", turned))
    for row, i in enumerate(chosen):
        y = top + row * cell
        parts.append(_text(left - 8, y + cell / 2 + 4, _short(found.labels[i]), "end"))
        counts = [int(found.matrix[i, j]) for j in chosen]
        counts.append(int(found.matrix[i].sum()) - sum(counts))
        for column, count in enumerate(counts):
            kind = "right" if column == row else "other" if column == size else "wrong"
            strength = count / worst if kind == "wrong" else 1.0 if kind == "right" else 0.3
            x = left + column * cell
            name = display_name(found.labels[chosen[column]]) if column < size else "another breed"
            parts.append(
                f"<g><title>{escape(f'{count} photos of {display_name(found.labels[i])} classified as {name}')}</title>"
                f'<rect class="cell" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}"/>'
                f'<rect class="{kind}" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" '
                f'opacity="{0.15 + 0.6 * strength if count else 0:.2f}"/>'
                f"{_text(x + cell / 2 - 1, y + cell / 2 + 4, str(count) if count else '·', 'middle', 'count')}</g>"
            )
    width, height = left + (size + 1) * cell + round(0.71 * longest), top + size * cell + 8
    description = f"Photos of {size} breeds by predicted breed; the table next to it lists the worst pairs."
    return _svg(width, height, description, parts)


def _svg(width: float, height: float, description: str, parts: Sequence[str]) -> Markup:
    opening = f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(description)}">'
    return Markup(opening + "".join(parts) + "</svg>")  # noqa: S704 - every text in it was escaped


def _text(x: float, y: float, text: str, anchor: str, kind: str = "", more: str = "") -> str:
    style = f'class="{kind}" ' if kind else ""
    return f'<text {style}x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _ticks(low: float, high: float, *, percent: bool) -> dict[float, str]:
    """About five round values from `low` to `high`, with their labels."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step)) - (2 if percent else 0))
    values = [number * step for number in range(first, last + 1)]
    return {value: f"{100 * value:.{decimals}f} %" if percent else f"{value:.{decimals}f}" for value in values}


def _apart(places: Sequence[float], least: float = 15) -> list[float]:
    """Vertical positions of the names at the ends of lines, moved apart so that none covers another."""
    result = list(places)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for upper, lower in pairwise(order):
        result[lower] = max(result[lower], result[upper] + least)
    return result


def _short(label: str) -> str:
    text = display_name(label)
    return text if len(text) <= 24 else text[:23] + "…"
