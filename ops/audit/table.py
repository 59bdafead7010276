"""What `kennel audit` prints: a row for each role, then each finding with what to do about it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.audit.finding import SEVERITIES, Report, Severity
from ops.audit.roles import Role

STYLES: dict[Severity, str] = {
    "high": "bold red",
    "medium": "red",
    "low": "yellow",
    "unknown": "magenta",
    "note": "dim",
}


def print_report(report: Report, console: Console) -> None:
    """Print the roles, the findings and the verdict."""
    if report.roles:
        console.print(_table(report))
    for each in report.ordered:
        label = Text("accepted", "dim") if each.accepted else Text(each.severity, STYLES[each.severity])
        console.print(label, Text(f"{printable(each.where)}: {printable(each.summary)}"), soft_wrap=True)
        for line in filter(None, (each.accepted or each.remedy,)):
            console.print(Text(f"        {printable(line)}", "dim"), soft_wrap=True)
    style = "bold red" if report.open else "bold magenta" if report.unknown else "bold green"
    console.print(Text(verdict(report), style), soft_wrap=True)


def verdict(report: Report) -> str:
    """One sentence with the numbers."""
    where = f"{report.environment}, {report.source}"
    incomplete = _incomplete(report)
    if not report.roles:
        return f"{incomplete}No stack of this environment is deployed, so there is no role ({where})."
    found = len(report.open)
    accepted = sum(bool(each.accepted) for each in report.findings)
    said = "no finding" if found == 0 else "1 finding" if found == 1 else f"{found} findings"
    if incomplete:
        said += " in what could be checked"
    return f"{incomplete}{len(report.roles)} roles, {said}, {accepted} accepted ({where})."


def _incomplete(report: Report) -> str:
    """What comes first if something could not be checked: a report without a finding is no clean one then."""
    count = len(report.unknown)
    if not count:
        return ""
    checks = "1 check was" if count == 1 else f"{count} checks were"
    return f"INCOMPLETE: {checks} not possible, so findings may be missing; the lines `unknown` say why. "


def _table(report: Report) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    table.add_column("role", overflow="fold")
    table.add_column("assumed by", overflow="fold")
    table.add_column("may do", overflow="fold")
    if report.uses:
        table.add_column("last used")
    table.add_column("findings")
    for role in report.roles:
        use = [last_used(report, role)] if report.uses else []
        table.add_row(
            role.where, printable(", ".join(assumed_by(role))), printable(abilities(role)), *use, _counts(report, role)
        )
    return table


def assumed_by(role: Role) -> list[str]:
    """The principals."""
    return list(dict.fromkeys(each.principal for each in role.trusts if each.effect == "Allow"))


def abilities(role: Role) -> str:
    """The number of actions that the role is allowed, by service."""
    actions: dict[str, set[str]] = {}
    for each in role.statements:
        if each.effect == "Allow":
            for action in each.actions or ("* but " + ", ".join(each.not_actions),):
                actions.setdefault(action.partition(":")[0], set()).add(action)
    return ", ".join(f"{service} {len(names)}" for service, names in sorted(actions.items())) or "nothing"


def last_used(report: Report, role: Role) -> str:
    """The day on which a deployed role was used."""
    use = report.uses.get(role.where)
    if use is None:
        return "unknown"
    return f"{use.last:%Y-%m-%d}" if use.last else "never"


def _counts(report: Report, role: Role) -> Text:
    counts = report.counts(role.where)
    said = [Text(f"{counts[each]} {each}", STYLES[each]) for each in SEVERITIES if counts[each]]
    return Text(", ").join(said) if said else Text("none", "green")


def as_json(report: Report) -> str:
    """Everything for programs: each role with its trust and statements, and each finding."""
    content = {
        "environment": report.environment,
        "source": report.source,
        "passed": not report.open and not report.unknown,
        "complete": not report.unknown,
        "roles": [_role(report, role) for role in report.roles],
        "findings": [asdict(each) for each in report.ordered],
    }
    return json.dumps(content, indent=2)


def _role(report: Report, role: Role) -> dict[str, Any]:
    use = report.uses.get(role.where)
    return {
        "stack": role.stack,
        "id": role.id,
        "assumed_by": [asdict(each) for each in role.trusts],
        "statements": [asdict(each) for each in role.statements],
        "foreign_policies": list(role.foreign_policies),
        "deployed": None
        if use is None
        else {
            "name": use.name,
            "created": use.created.isoformat(),
            "last_used": use.last.isoformat() if use.last else None,
            "services": {name: last.isoformat() if last else None for name, last in use.services.items()},
        },
    }


def conditions(pairs: Any) -> Iterator[str]:
    """Each condition of a statement as a line: operator, key and values."""
    for operator, keys in pairs.items():
        for key, values in keys.items():
            yield f"{operator} {key}: {', '.join(values)}"
