"""The comparison as two files: drift.json for programs, and drift.html, a page that needs no network."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

from inference.drift.comparison import (
    FALSE_ALARMS,
    LEAST_DISTANCE,
    LEAST_PHOTOS,
    Bar,
    Comparison,
    Figure,
)

JSON, PAGE = "drift.json", "drift.html"

_MEANING = {
    "confidence": "Probability of the most likely breed, as answered.",
    "breeds": "The most likely breed. The table lists those whose shares differ most.",
    "brightness": "Mean luminance of the square that the model sees: 0 is black, 1 is white.",
    "size": "Shorter side of the photo as sent, as a share of the pixels that the model uses. 1 has enough of them.",
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 480, 220, 46, 12, 30


def write(folder: Path, comparison: Comparison) -> None:
    """Write both files into `folder`, which is created. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(comparison.document(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(comparison), encoding="utf-8", errors="replace")


def page(comparison: Comparison) -> str:
    """The content of drift.html."""
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    begin, end = comparison.period or ("", "")
    return template.substitute(
        model=escape(comparison.model),
        tone={"drift": "bad", "no drift": "good"}.get(comparison.verdict, "quiet"),
        sentence=escape(comparison.sentence),
        period=f", sent between {escape(begin)} and {escape(end)} (UTC)" if begin else "",
        photos=comparison.photos,
        test_photos=comparison.test_photos,
        rows="\n".join(_row(figure) for figure in comparison.figures)
        or '<tr><td colspan="7">No photo was compared.</td></tr>',
        charts="\n".join(_card(figure, comparison.charts[figure.name]) for figure in comparison.figures),
        records="\n".join(
            f'<tr><th scope="row">{escape(reason)}</th><td class="number">{count}</td></tr>'
            for reason, count in sorted(comparison.records.items(), key=lambda item: -item[1])
        )
        or '<tr><td colspan="2">There is no record.</td></tr>',
        least_photos=LEAST_PHOTOS,
        least_distance=f"{LEAST_DISTANCE:g}",
        false_alarms=f"{FALSE_ALARMS:.0%}",
    )


def _row(figure: Figure) -> str:
    is_far = figure.excess > 0
    noise = [f"up to {figure.by_chance:.2f}", f"{figure.independent_photos}"]
    cells = [f"{figure.distance:.2f}", *noise, *(_centre(figure, x) for x in _pair(figure))]
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    mark = f'<span class="tag {"bad" if is_far else "good"}">{"differs" if is_far else "alike"}</span>'
    return f'<tr><th scope="row">{figure.name}</th>{numbers}<td>{mark}</td></tr>'


def _pair(figure: Figure) -> tuple[float, float]:
    return figure.test, figure.now


def _centre(figure: Figure, value: float) -> str:
    return f"{value:.0f} breeds" if figure.name == "breeds" else f"{value:.3f}"


def _card(figure: Figure, bars: Sequence[Bar]) -> str:
    chart = _by_breed(bars) if figure.name == "breeds" else _histogram(figure.name, bars)
    return (
        f'<section class="card"><h3>{figure.name}: {figure.distance:.2f}, by chance up to {figure.by_chance:.2f}</h3>'
        f'<p class="quiet">{_MEANING[figure.name]}</p>{chart}</section>'
    )


def _histogram(name: str, bars: Sequence[Bar]) -> str:
    """Two bars for each bin. The outline and the filled bar differ in form too, so colour is not needed to read it."""
    top = max(max(bar.test, bar.now) for bar in bars) or 1.0
    inner, height, bottom = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM, _HEIGHT - _BOTTOM
    step = inner / len(bars)
    parts = []
    for share in (0.0, top / 2, top):
        y = bottom - share / top * height
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - 8}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for tick in range(5):
        x = _LEFT + inner * tick / 4
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick / 4:g}</text>')
    for number, bar in enumerate(bars):
        left = _LEFT + number * step
        note = f"{bar.label}: {bar.test:.1%} of the test photos, {bar.now:.1%} now"
        now, test = (round(share / top * height, 1) for share in (bar.now, bar.test))
        parts.append(
            f"<g><title>{escape(note)}</title>"
            f'<rect class="now" x="{left + 2:.1f}" y="{bottom - now:.1f}" width="{step - 4:.1f}" height="{now}"/>'
            f'<rect class="test" x="{left + 1:.1f}" y="{bottom - test:.1f}" width="{step - 2:.1f}" height="{test}"/>'
            "</g>"
        )
    described = f"Histogram of {name}: the test photos as outlines, the photos of now as filled bars."
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{escape(described)}">'
        f"{''.join(parts)}</svg>"
    )


def _by_breed(bars: Sequence[Bar]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(bar.label)}</th><td class="number">{bar.test:.1%}</td>'
        f'<td class="number">{bar.now:.1%}</td></tr>'
        for bar in bars
    )
    head = '<tr><th scope="col">breed</th><th scope="col" class="number">test photos</th>'
    return f'<table><thead>{head}<th scope="col" class="number">now</th></tr></thead><tbody>{rows}</tbody></table>'
