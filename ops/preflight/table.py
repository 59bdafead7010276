"""What `kennel preflight` prints: one row for each subject, then each gap with the command that closes it."""

import json
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.preflight.finding import Severity
from ops.preflight.run import SEVERITIES, Report

STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "unknown": "magenta"}


def print_report(report: Report, console: Console) -> None:
    """Print the table and the findings, errors first."""
    console.print(_table(report))
    for finding in report.findings:
        console.print(
            Text(finding.severity, STYLES[finding.severity]), Text(printable(finding.summary)), soft_wrap=True
        )
        for line in filter(None, (finding.remedy, finding.otherwise)):
            console.print(Text(f"        {printable(line)}", "dim"), soft_wrap=True)
    console.print(_verdict(report), soft_wrap=True)


def as_json(report: Report) -> str:
    """The report for programs."""
    return json.dumps(
        {
            "account": report.account,
            "region": report.region,
            "passed": report.passed,
            "subjects": list(report.subjects),
            "findings": [asdict(finding) for finding in report.findings],
        },
        indent=2,
    )


def _table(report: Report) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    table.add_column("checked")
    table.add_column("result")
    for subject in report.subjects:
        found = [finding.severity for finding in report.findings if finding.subject == subject]
        result = Text("ok", "green")
        if found:
            counts = [(severity, found.count(severity)) for severity in SEVERITIES if severity in found]
            result = Text(", ").join(Text(_counted(count, severity), STYLES[severity]) for severity, count in counts)
        table.add_row(subject, result)
    return table


def _counted(count: int, severity: Severity) -> str:
    return f"{count} {severity}" if count == 1 or severity == "unknown" else f"{count} {severity}s"


def _verdict(report: Report) -> Text:
    where = f"account {report.account}, {report.region}" if report.account else "no account"
    if not report.passed:
        return Text(f"This deploy would fail ({where}). Close the errors above, then run it again.", "bold red")
    if report.findings:
        return Text(f"No error ({where}). Read the lines above.", "bold green")
    return Text(f"Nothing stands in the way ({where}).", "bold green")
