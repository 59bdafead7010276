"""What `kennel capacity` prints: a table of the load's parts, the whole, and what the figures rest on; or JSON."""

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.capacity.load import Load
from ops.capacity.needs import Needs, instances
from ops.capacity.result import PERCENTILES, Result
from ops.cost.price_table import PriceTable

ROWS = 12
TITLES = ("minutes", "calls", "instances", *(f"p{percent}, ms" for percent in PERCENTILES), "refused", "late", "USD")


def print_needs(needs: Needs, console: Console) -> None:
    """What the load needs by arithmetic."""
    for text in needs.sentences():
        console.print(escape(text), soft_wrap=True)


def print_result(load: Load, result: Result, console: Console) -> None:
    """The parts of the load, and all of it."""
    shown = Table(box=SIMPLE_HEAD, header_style="bold", show_footer=True, pad_edge=False)
    for head, foot in zip(TITLES, ("all", *_cells(result)), strict=True):
        shown.add_column(head, footer=foot, justify="left" if head == TITLES[0] else "right")
    for start, part in result.parts(ROWS):
        end = start + len(part.minutes) - 1
        shown.add_row(f"{start}" if end == start else f"{start} to {end}", *_cells(part))
    console.print(f"\n[bold]{escape(load.name)}[/bold]\n")
    console.print(shown)
    low, high = result.instances
    fleet = f"{low} to {high} instances" if low != high else instances(low)
    for text in (
        f"{result.calls:,} calls: {result.refused:,} refused with status 503, {result.late:,} answered too late for "
        f"the function, which waits {result.patience_s:g} s (api.timeout_s).",
        f"{fleet} in service, {result.instance_hours:,.1f} instance hours, {result.usd:,.2f} USD; a month of such "
        f"hours costs {result.month_usd:,.2f} USD.",
    ):
        console.print(text, soft_wrap=True)


def print_basis(needs: Needs, instance_type: str, table: PriceTable, source: str, console: Console) -> None:
    """What the figures rest on."""
    rules = needs.rules
    for text in (
        f"An {instance_type} answers a photo in {rules.photo_s * 1000:.1f} ms if it is alone: {source}.",
        f"A new instance is in service after {rules.start_s / 60:g} minutes (--start-minutes).",
        "The times are those of the container. The way to it and the function's own time come on top.",
        "The scaling is that of the rehearsal (docs/decisions/0092-target-tracking.md); SageMaker picks an instance at "
        "random, and the server refuses what it could not answer in time.",
        f"Prices of {table.region}, {table.oldest:%Y-%m-%d} to {table.newest:%Y-%m-%d}: the endpoint's instances and "
        "their volumes alone.",
    ):
        console.print(escape(f"  {text}"), soft_wrap=True)


def as_json(load: Load, needs: Needs, result: Result | None) -> str:
    """Everything, with each minute. Without a simulation, what the load needs alone."""
    content: dict[str, object] = {
        "load": load.name,
        "busiest_minute_calls_per_s": round(needs.rate, 4),
        "photo_ms": round(needs.rules.photo_s * 1000, 3),
        "instances_by_rule": needs.by_rule,
        "instances_by_time": needs.by_time,
        "max_instances": needs.rules.scaling.max_instances,
        "most_calls_per_s": round(needs.most_rate, 2),
    }
    if result is not None:
        content |= {
            "all": _figures(result),
            "minutes": [_figures(each) for _, each in result.parts(len(result.minutes))],
        }
    return json.dumps(content, indent=2)


def _cells(result: Result) -> Sequence[str]:
    low, high = result.instances
    latencies = ["-" if value is None else f"{value:,.0f}" for value in result.latencies_ms()]
    return (
        f"{result.calls:,}",
        f"{low}" if low == high else f"{low} to {high}",
        *latencies,
        f"{result.refused:,}",
        f"{result.late:,}",
        f"{result.usd:,.3f}",
    )


def _figures(result: Result) -> dict[str, object]:
    names = [f"p{percent}_ms" for percent in PERCENTILES]
    latencies = [None if value is None else round(value, 2) for value in result.latencies_ms()]
    low, high = result.instances
    return {
        "calls": result.calls,
        "refused": result.refused,
        "late": result.late,
        "least_instances": low,
        "most_instances": high,
        **dict(zip(names, latencies, strict=True)),
        "instance_hours": round(result.instance_hours, 4),
        "usd": round(result.usd, 4),
    }
