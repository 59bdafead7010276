"""What `kennel cost` prints: a table of the stacks, the prices' dates and sources, and the assumptions."""

import dataclasses
import json
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract.declarations import declarations
from ops.cost.assumptions import Assumptions
from ops.cost.charge import CASES, HOURS_A_MONTH
from ops.cost.estimate import BOOTSTRAP, Estimate

TITLES = ("idle, an hour", "idle, a month", "expected month", "worst month", "one training", "1,000 predictions")
NOTES = (
    f"US dollars before taxes, discounts and free allowances. A month has {HOURS_A_MONTH} hours.",
    "Idle: no caller, no deploy, and both machines of the workbench stopped, except one that a setting keeps running.",
    "Worst: the endpoint at its maximum, with a prediction whenever it can take one, both machines of the workbench "
    "always on, and a deploy each day that trains until it is stopped.",
    "Traffic out of AWS is not priced, nor is spare capacity (spot): a training on it costs about a third.",
)


def rows(estimate: Estimate) -> Iterator[tuple[str, list[str]]]:
    """The name of each stack and its cells, and last of all the total."""
    for stack in (*estimate.stacks, None):
        values = [estimate.usd("idle", stack) / HOURS_A_MONTH, *(estimate.usd(case, stack) for case in CASES)]
        digits = [3, 2, 2, 2, 2, 3]
        yield stack or "Total", [usd(value, places) for value, places in zip(values, digits, strict=True)]


def usd(value: float, places: int) -> str:
    """A figure without a sign; a cost that rounds to nothing is shown as such, and none as a dash."""
    smallest: float = 10**-places
    if value == 0:
        return "-"
    return f"< {smallest:.{places}f}" if value < smallest / 2 else f"{value:,.{places}f}"


def budget(estimate: Estimate) -> str:
    """How the budget compares with the idle month."""
    if estimate.budget_usd is None:
        return "There is no budget: nothing warns of a month that costs more."
    share = estimate.idle_month_usd / estimate.budget_usd
    return f"The budget is {estimate.budget_usd:,.0f} USD a month. Idle is {share:.0%} of it."


def missing(estimate: Estimate) -> list[str]:
    """A sentence for whatever the totals leave out."""
    sentences = [f"Without a price in the table, and not in the totals: {what}." for what in estimate.without_price]
    return sentences + [
        f"{kind} has no verdict in ops/cost/verdicts.py, and is not in the totals." for kind in estimate.without_verdict
    ]


def assumptions(estimate: Estimate) -> Iterator[str]:
    """Each assumption: its value, and what it is the value of."""
    for name, declaration in declarations(Assumptions).items():
        yield f"{name} = {getattr(estimate.assumptions, name):g}: {declaration.doc}"


def sources(estimate: Estimate) -> Iterator[str]:
    for source in estimate.table.sources.values():
        yield f"{source.read}: {source.about} {source.address}"


def title(estimate: Estimate, environment: str) -> str:
    table = estimate.table
    return (
        f"The environment {environment} in {estimate.region}, by prices of {table.oldest:%Y-%m-%d} to "
        f"{table.newest:%Y-%m-%d}"
    )


def print_report(estimate: Estimate, environment: str, console: Console, *, items: bool = False) -> None:
    """Print the table, and everything that a reader needs to check it."""
    console.print(f"[bold]{escape(title(estimate, environment))}[/bold]\n", highlight=False)
    shown = Table(box=SIMPLE_HEAD, header_style="bold", show_footer=True, pad_edge=False)
    *stacks, (total, sums) = rows(estimate)
    shown.add_column("stack", footer=total)
    for head, foot in zip(TITLES, sums, strict=True):
        shown.add_column(head, footer=foot, justify="right")
    for stack, cells in stacks:
        shown.add_row(stack, *cells)
    console.print(shown)
    if items:
        console.print(_items(estimate))
    for text in (budget(estimate), *missing(estimate), *NOTES):
        console.print(escape(text), soft_wrap=True, highlight=False)
    console.print("\n[bold]Assumptions[/bold] (ops/cost/assumptions.py)")
    for text in assumptions(estimate):
        console.print(escape(f"  {text}"), soft_wrap=True, highlight=False)
    console.print(f"\n[bold]Prices[/bold] (ops/cost/prices/{estimate.region}.toml)")
    for text in sources(estimate):
        console.print(escape(f"  {text}"), soft_wrap=True, highlight=False)


def _items(estimate: Estimate) -> Table:
    """Each charge of a cent or more, the most expensive in the worst month first."""
    shown = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for head in ("stack", "what", "idle, a month", "expected month", "worst month"):
        shown.add_column(head, justify="left" if head in ("stack", "what") else "right")
    for line in sorted(estimate.lines, key=lambda line: -line.usd("worst")):
        if line.usd("worst") < 0.005:
            continue
        shown.add_row(line.stack, line.charge.what, *(usd(line.usd(case), 2) for case in CASES[:3]))
    return shown


def markdown(estimate: Estimate, environment: str) -> str:
    """The table as README has it."""
    lines = [f"| stack | {' | '.join(TITLES)} |", f"|---|{'---:|' * len(TITLES)}"]
    lines += [f"| {_name(stack)} | {' | '.join(cells)} |" for stack, cells in rows(estimate)]
    note = f"{title(estimate, environment)}, in US dollars. {budget(estimate)}"
    return "\n".join([*lines, "", note, *missing(estimate)]) + "\n"


def _name(stack: str) -> str:
    return {"Total": "**total**", BOOTSTRAP: "`make bootstrap`"}.get(stack, stack)


def as_json(estimate: Estimate, environment: str) -> str:
    """Everything, with each charge: its price, and its cost in each case."""
    content = {
        "environment": environment,
        "region": estimate.region,
        "hours_a_month": HOURS_A_MONTH,
        "idle_hour_usd": _rounded(estimate.idle_hour_usd),
        "total_usd": {case: _rounded(estimate.usd(case)) for case in CASES},
        "stacks_usd": {
            stack: {case: _rounded(estimate.usd(case, stack)) for case in CASES} for stack in estimate.stacks
        },
        "budget_usd": estimate.budget_usd,
        "without_price": list(estimate.without_price),
        "without_verdict": list(estimate.without_verdict),
        "assumptions": dataclasses.asdict(estimate.assumptions),
        "sources": {
            name: {**dataclasses.asdict(source), "read": f"{source.read}"}
            for name, source in estimate.table.sources.items()
        },
        "charges": [
            {
                "stack": line.stack,
                "what": line.charge.what,
                "price": line.price.key,
                "usd_each": line.price.usd,
                "unit": line.price.unit,
                "source": line.price.source,
                "usd": {case: _rounded(line.usd(case)) for case in CASES},
            }
            for line in estimate.lines
        ],
    }
    return json.dumps(content, indent=1)


def _rounded(value: float) -> float:
    return round(value, 6)
