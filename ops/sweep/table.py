"""What `kennel sweep` prints."""

import json
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.sweep.found import Found, Sweep

ENDS = {"training job": "Stop", "processing job": "Stop", "KMS key": "Schedule the deletion of"}
"""What is done with a kind that cannot simply be deleted."""


def print_report(swept: Sweep, console: Console) -> None:
    """Print what bills, why something is kept, and what could not be looked up."""
    if swept.left:
        console.print(_table(swept))
        reasons = dict.fromkeys(each.kept for each in swept.left if each.kept)
        for reason in reasons:
            names = [f"{each.kind} {each.name}" for each in swept.left if each.kept == reason]
            many = f"{names[0]} and {len(names) - 1} more" if len(names) > 2 else " and ".join(names)
            console.print(Text(f"kept: {printable(many)}"), soft_wrap=True)
            console.print(Text(f"        {printable(reason)}", "dim"), soft_wrap=True)
    for sentence in swept.unknown:
        console.print(Text("unknown", "magenta"), Text(printable(sentence)), soft_wrap=True)
    console.print(Text(verdict(swept), "bold red" if swept.left else "bold green"), soft_wrap=True)


def verdict(swept: Sweep) -> str:
    """One sentence with the sum."""
    where = f"{swept.environment}, account {swept.account}, {', '.join(swept.regions)}"
    deleted = sum(each.deleted for each in swept.found)
    before = f"{deleted} deleted. " if deleted else ""
    if not swept.left:
        left = "Nothing that was found bills" if swept.unknown else "Nothing bills"
        return f"{before}{left} ({where})."
    without = sum(each.usd_day is None for each in swept.left)
    more = f", and {without} for which there is no price" if without else ""
    count = "1 resource bills" if len(swept.left) == 1 else f"{len(swept.left)} resources bill"
    usd = "less than 0.01" if swept.usd_day < 0.01 else f"{swept.usd_day:,.2f}"
    return f"{before}{count} {usd} USD a day{more} ({where})."


def question(found: Found) -> str:
    """The question before a deletion."""
    about = f" ({found.about})" if found.about else ""
    return (
        f"{ENDS.get(found.kind, 'Delete')} the {found.kind} {found.name}{about} in {found.region}, "
        f"{price(found)} USD a day? [y/N] "
    )


def price(found: Found) -> str:
    """A day, in US dollars."""
    if found.usd_day is None:
        return "unknown"
    return "< 0.01" if found.usd_day < 0.005 else f"{found.usd_day:,.2f}"


def _table(swept: Sweep) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    for head in ("kind", "region", "name", "what"):
        table.add_column(head, overflow="fold")
    table.add_column("USD a day", justify="right")
    table.add_column("with --yes")
    for each in swept.left:
        cells = [printable(text) for text in (each.kind, each.region, each.name, each.about)]
        fate = "kept" if each.kept else "asks"
        table.add_row(*cells, price(each), Text(fate, "dim" if each.kept else "yellow"))
    return table


def as_json(swept: Sweep) -> str:
    """Everything for programs."""
    content = {
        "environment": swept.environment,
        "account": swept.account,
        "regions": list(swept.regions),
        "usd_day": round(swept.usd_day, 4),
        "complete": not swept.unknown,
        "unknown": list(swept.unknown),
        "found": [asdict(each) for each in swept.found],
    }
    return json.dumps(content, indent=2)
