"""What `kennel status` prints: one screen, or JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.cost.table import usd
from ops.operate.cost_now import CostNow
from ops.operate.error_lines import summary
from ops.operate.status import Status, ago, superseded

METRICS = ("test:served_accuracy", "test:served_macro_f1", "validation:accuracy", "validation:loss", "test:ece")
"""Of the last job, those that fit on one line."""
LONGEST = 220
"""Characters of an error on the screen."""


def as_json(found: Status, option: str) -> str:
    """Everything for programs. option: what a command needs to mean this environment."""
    content = {
        "environment": found.environment,
        "account": found.account,
        "region": found.region,
        "deployed": not found.nothing_deployed,
        "healthy": not found.problems and not found.unknown,
        "problems": found.problems,
        "unknown": found.unknown,
        "next": _next(found, option),
        "stacks": [asdict(stack) for stack in found.stacks],
        "endpoint": asdict(found.endpoint) if found.endpoint else None,
        "training_job": asdict(found.job) if found.job else None,
        "changes": [asdict(change) for change in found.changes],
        "signals": [asdict(signal) for signal in found.signals],
        "alarms": [asdict(alarm) for alarm in found.alarms],
        "errors": [{**asdict(line), "at": line.time} for line in found.errors],
        "cost": asdict(found.cost) if isinstance(found.cost, CostNow) else found.cost,
    }
    return json.dumps(content, indent=2, default=_plain)


def _plain(value: object) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_status(found: Status, option: str, console: Console, now: datetime | None = None) -> None:
    """Print one screen: a row for each subject, then what needs attention, then the next command."""
    now = now or datetime.now(UTC)
    console.print(
        Text(printable(f"The environment {found.environment} in account {found.account}, {found.region}"), "bold")
    )
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for subject, text in _rows(found, now):
        table.add_row(subject, Text(printable(text)))
    console.print(table)
    for sentence in found.problems:
        console.print(Text("problem ", "bold red"), Text(printable(sentence)), sep="", soft_wrap=True)
    for sentence in found.unknown:
        console.print(Text("unknown ", "magenta"), Text(printable(sentence)), sep="", soft_wrap=True)
    console.print(Text(_verdict(found, option), "bold red" if found.problems else "bold green"), soft_wrap=True)


def _rows(found: Status, now: datetime) -> Iterator[tuple[str, str]]:
    if found.stacks:
        complete = [stack.kind for stack in found.stacks if stack.status.endswith("E_COMPLETE") and not stack.failed]
        others = [f"{stack.kind} {stack.status}" for stack in found.stacks if stack.kind not in complete]
        yield "stacks", "; ".join(filter(None, (f"{', '.join(complete)} complete" if complete else "", *others)))
    yield from _endpoint(found, now)
    yield from _training(found, now)
    if found.alarms:
        states = [f"{alarm.id} {ago(alarm.since, now)}" for alarm in found.alarms if alarm.rings]
        yield "alarms", f"{len(states)} of {len(found.alarms)} in ALARM" + (f": {', '.join(states)}" if states else "")
    for line in found.errors:
        yield "last errors", f"{line.time:%H:%M:%S} {line.source}: {_short(line.message)}"
    if found.stacks and not found.errors:
        yield "last errors", "none in the last hour"
    if isinstance(found.cost, CostNow):
        yield "costs now", _cost(found.cost)
        if found.cost.without:
            yield "", f"not in the sum: {'; '.join(found.cost.without)}"
    elif found.cost:
        yield "costs now", found.cost


def _endpoint(found: Status, now: datetime) -> Iterator[tuple[str, str]]:
    endpoint = found.endpoint
    if endpoint is None:
        if found.stacks:
            yield "endpoint", "there is none"
        return
    yield "endpoint", f"{endpoint.name} is {endpoint.status}, changed {ago(endpoint.changed, now)}"
    runs = f"runs {endpoint.config or 'none'}"
    if endpoint.pending_config:
        runs += f", an update to {endpoint.pending_config} is in progress"
    elif not endpoint.deployed_config:
        runs += "; its stack has deployed none"
    elif endpoint.differs:
        runs += f", but its stack has deployed {endpoint.deployed_config}"
    else:
        runs += ", as its stack has deployed"
    yield "configuration", runs
    if endpoint.model_data:
        yield "model", endpoint.model_data
    for each in endpoint.variants:
        more = "" if each.current == each.desired else f" of {each.desired}"
        yield "instances", f"{each.current}{more} x {each.instance_type or 'an unknown type'} ({each.name})"


def _training(found: Status, now: datetime) -> Iterator[tuple[str, str]]:
    job = found.job
    if job is None:
        if found.stacks:
            yield "last training", "there is no job"
        return
    stage = f" ({job.stage})" if job.running else ""
    machines = f"{job.instance_count} x {job.instance_type}"
    later = "; a later deploy succeeded without it" if job.failed and superseded(job, found.stacks) else ""
    yield "last training", f"{job.name} is {job.status}{stage}, begun {ago(job.created, now)}, {machines}{later}"
    metrics = [f"{name} {job.metrics[name]:.4g}" for name in METRICS if name in job.metrics]
    if metrics:
        yield "its metrics", ", ".join(metrics)


def _cost(cost: CostNow) -> str:
    each = sorted(cost.stacks_usd_hour.items(), key=lambda item: -item[1])
    parts = [f"{name} {usd(value, 3)}" for name, value in each if value >= 0.0005]
    if cost.training_usd_hour:
        parts.append(f"the running training {usd(cost.training_usd_hour, 3)}")
    return (
        f"{usd(cost.usd_hour, 3)} USD an hour ({', '.join(parts) or 'nothing bills'}), {usd(cost.usd_month, 2)} a "
        f"month at this size, by prices of {cost.prices_of}"
    )


def _short(message: str) -> str:
    one_line = summary(message)
    return one_line if len(one_line) <= LONGEST else f"{one_line[:LONGEST]} ..."


def _verdict(found: Status, option: str) -> str:
    if found.nothing_deployed:
        return f"Nothing of this environment is deployed. Next: {_next(found, option)}"
    if found.problems:
        return f"{len(found.problems)} to look at. Next: {_next(found, option)}"
    if found.unknown:
        return "No problem in what could be read."
    return "Everything works."


def _next(found: Status, option: str) -> str:
    """The command that leads on; empty if there is nothing to do."""
    if found.nothing_deployed:
        return f"kennel{option} preflight"
    return f"kennel{option} why" if found.problems else ""
