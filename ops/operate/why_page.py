"""What `kennel why` prints: the last failure with its root cause, its log lines and its entry, then the others."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from contract.text import printable, printable_lines
from ops.operate.error_lines import summary
from ops.operate.failures import Diagnosis, Failure
from ops.operate.runbook import entries
from ops.operate.status import ago

PARTS = ("Cause", "Fix", "Resolved when")
"""Of an entry: the others are the symptom, and the command that was run."""
LONGEST = 400
"""Characters of a log line on the screen."""


def as_json(found: Diagnosis) -> str:
    """Everything for programs."""
    content = {
        "nothing_deployed": found.nothing_deployed,
        "failures": [
            {
                "kind": each.kind,
                "at": each.at.isoformat(),
                "what": each.what,
                "details": list(each.details),
                "lines": [{**asdict(line), "at": line.time.isoformat()} for line in each.lines],
                "logs": f"kennel logs {each.log}" if each.log else "",
                **entry_as_json(each.heading),
            }
            for each in found.failures
        ],
        "unknown": list(found.unknown),
    }
    return json.dumps(content, indent=2)


def entry_as_json(heading: str) -> dict[str, object]:
    """The fields about an entry."""
    entry = entries().get(heading)
    return {"entry": heading, "runbook": entry.link if entry else "", "parts": dict(entry.parts) if entry else {}}


def print_diagnosis(found: Diagnosis, option: str, console: Console, now: datetime | None = None) -> None:
    """Print the last failure whole, and a line for each other one. option: what a command needs to mean this
    environment."""
    now = now or datetime.now(UTC)
    if found.nothing_deployed:
        console.print(f"Nothing of this environment is deployed. Next: kennel{option} preflight", soft_wrap=True)
    elif not found.failures:
        console.print("Nothing has failed that was not repaired since.", style="bold green")
    for failure in found.failures[:1]:
        _print_failure(failure, option, console, now)
    if found.failures[1:]:
        console.print("\nAlso to look at, the newest first:", style="bold")
    for failure in found.failures[1:]:
        entry = entries().get(failure.heading)
        link = f" See {entry.link}" if entry else ""
        console.print(Text(printable(f"  {failure.what} ({ago(failure.at, now)}){link}")), soft_wrap=True)
        for detail in failure.details:
            if detail.startswith("Put back: "):
                console.print(Text(printable(f"    {detail}")), soft_wrap=True)
    for sentence in found.unknown:
        console.print(Text("unknown ", "magenta"), Text(printable(sentence)), sep="", soft_wrap=True)


def _print_failure(failure: Failure, option: str, console: Console, now: datetime) -> None:
    console.print(Text(printable(failure.what), "bold red"), Text(f" ({ago(failure.at, now)})"), sep="", soft_wrap=True)
    for detail in failure.details:
        console.print(Text(f"  {printable(detail)}"), soft_wrap=True)
    if failure.lines:
        console.print(f"\nThe log lines about it (all: kennel{option} logs {failure.log}):", style="bold")
        for line in failure.lines:
            console.print(Text(f"  {line.time:%H:%M:%S}  {_short(line.message)}"), soft_wrap=True)
    elif failure.log:
        console.print(f"\nMore: kennel{option} logs {failure.log}", style="bold")
    print_entry(failure.heading, console)


def print_entry(heading: str, console: Console) -> None:
    """Print an entry of the runbook: its link, its cause and its fix."""
    entry = entries().get(heading)
    if entry is None:
        return
    console.print(f"\nWhat to do: {entry.link}", style="bold", soft_wrap=True)
    console.print(Text(f"{heading}\n"))
    for line in _lines_of({label: entry.parts[label] for label in PARTS if label in entry.parts}):
        console.print(Text(line), soft_wrap=True)


def _lines_of(parts: dict[str, str]) -> Iterator[str]:
    for label, text in parts.items():
        first, *rest = printable_lines(text.strip()).splitlines()
        yield f"  {label}: {first.strip()}"
        yield from (f"  {line}" for line in rest)


def _short(message: str) -> str:
    """One line, with its end: a sentence has the error there."""
    one_line = printable(summary(message))
    if len(one_line) <= LONGEST:
        return one_line
    return f"{one_line[: LONGEST // 2]} ... {one_line[-LONGEST // 2 :]}"
