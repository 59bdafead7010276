"""The audit as one HTML file, which needs no other file and no network."""

from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ops.audit import table
from ops.audit.finding import SEVERITIES, Report


def page(report: Report, today: date) -> str:
    """The file's content. today: the date that it shows."""
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return jinja.get_template("page.html").render(
        report=report,
        table=table,
        severities=SEVERITIES,
        today=today.isoformat(),
        accepted=[each for each in report.ordered if each.accepted],
        notes=[each for each in report.ordered if each.severity == "note" and not each.accepted],
    )
