"""A check for drift for a terminal, and as JSON."""

import json

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from inference.drift.comparison import Figure
from ops.drift.check import Check

_STYLES = {"drift": "bold red", "no drift": "bold green", "too few photos": "bold yellow"}


def print_check(found: Check, console: Console) -> None:
    """The verdict, the figures with their noise, and what was read."""
    result = found.comparison
    period = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    console.print(Text(f"The endpoint {found.source.endpoint}, {period}, model {result.model}"))
    if result.figures:
        table = Table(header_style="bold", box=SIMPLE_HEAD)
        for name in ("measure", "distance", "by chance", "test photos", "now", ""):
            table.add_column(name, justify="left" if name in ("measure", "") else "right")
        for figure in result.figures:
            table.add_row(*_cells(figure))
        console.print(table)
    console.print(Text(result.sentence, style=_STYLES[result.verdict]))
    for line in notes(found):
        console.print(Text(line))


def notes(found: Check) -> list[str]:
    """What was read and what was not, as sentences."""
    result = found.comparison
    lines = [
        f"{result.photos} different photos of callers, {result.test_photos} test photos. The distance is between 0 and "
        "1; by chance it is up to the figure beside it.",
    ]
    if not found.files:
        lines.append(
            f"No call was captured in this period ({found.source.percent} % of the calls are captured, and SageMaker "
            "writes them after some minutes). An earlier period: --since 30d."
        )
    if found.downloaded < found.files:
        lines.append(
            f"Of {found.files} capture files {found.downloaded} were read, evenly over the time. More: --most N."
        )
    left_out = {reason: count for reason, count in result.records.items() if reason != "compared"}
    if left_out:
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items(), key=lambda x: -x[1]))
        lines.append(f"Not compared: {printable(listed)}.")
    return lines


def as_json(found: Check) -> str:
    """The document of drift.json, and where its photos are from."""
    document = {
        "endpoint": found.source.endpoint,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "captured_percent": found.source.percent,
        "files": found.files,
        "files_read": found.downloaded,
        **found.comparison.document(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _cells(figure: Figure) -> tuple[str, ...]:
    unit = ".0f" if figure.name == "breeds" else ".3f"
    name = f"{figure.name}, {'number' if figure.name == 'breeds' else 'median'}"
    far = "differs" if figure.excess > 0 else ""
    return (name, f"{figure.distance:.2f}", f"up to {figure.by_chance:.2f}", f"{figure.test:{unit}}",
            f"{figure.now:{unit}}", far)  # fmt: skip
