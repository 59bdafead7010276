"""What `kennel data check` prints: a table of the photos, and a sentence for each finding."""

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from contract.text import indented, printable
from ops.data.check import Check
from ops.data.counts_table import Row, counts_table
from ops.data.findings import Finding

_SHOWN = 5
"""Photos, or groups of photos, that are printed with a finding; --json prints all."""
_OF_A_GROUP = 3
"""Photos of one group that are printed; a video's can have thousands."""


def print_check(found: Check, console: Console) -> None:
    """Print the counts by breed and split, the digest, and the findings, errors first."""
    if digest := found.data.digest():
        console.print(_counts(found))
        console.print(f"Digest of these photos: {digest}\n", highlight=False)
    for finding in found.findings:
        _print_finding(finding, console)
    errors = sum(finding.severity == "error" for finding in found.findings)
    if errors:
        number = "1 error" if errors == 1 else f"{errors} errors"
        console.print(f"[bold red]{number}[/bold red]: correct the photos, then check again.")
    elif found.findings:
        console.print("[bold green]No errors[/bold green]: you can train on these photos. Read the warnings above.")
    else:
        console.print("[bold green]No errors and no warnings[/bold green]: you can train on these photos.")


def _counts(found: Check) -> Table:
    counts = found.counts()
    train = [row["train"] for row in counts.values()]

    def bar(row: Row) -> Text:
        if not row["train"]:
            return Text("")
        length, share = max(1, round(20 * row["train"] / max(train))), row["train"] / sum(train)
        return Text("█" * length + f" {share:.1%}", "dim")

    return counts_table(counts, Column("share of train"), bar)


def _print_finding(finding: Finding, console: Console) -> None:
    mark = "[bold red]error[/bold red]  " if finding.severity == "error" else "[yellow]warning[/yellow]"
    console.print(f"{mark} {escape(indented(finding.summary))}", soft_wrap=True)
    for group in finding.photos[:_SHOWN]:
        more = f"  and {len(group) - _OF_A_GROUP} more" if len(group) > _OF_A_GROUP else ""
        console.print(
            Text("          " + "  =  ".join(map(printable, group[:_OF_A_GROUP])) + more, "dim"), soft_wrap=True
        )
    if len(finding.photos) > _SHOWN:
        console.print(f"          [dim]and {len(finding.photos) - _SHOWN} more; --json prints all of them[/dim]")
