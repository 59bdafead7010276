"""`kennel audit`: who can assume this app's roles, what each may do, and what should be changed."""

from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Env, Settings, number, overrides
from ops.echo import echo

INCOMPLETE, FINDINGS, NOTHING_DEPLOYED = 1, 3, 4
"""Exit statuses, which the help and docs/audit.md list."""


def audit(
    context: typer.Context,
    settings: Settings = None,
    templates: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The output of `cdk synth`. Default: synthesise now.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Read the deployed stacks instead: their roles, what was changed in IAM, and when roles and access "
            "keys were used. It changes nothing.",
        ),
    ] = False,
    unused_days: Annotated[
        int, number("With --live: a role or key without a use for so many days is a finding.", least=1, most=400)
    ] = 90,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file too, which needs no network.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with each statement.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Audit the roles of this app: who can assume each, what it may do, wildcards, rights that let it gain others.

    Exit status 0: no open finding. 1: an error, or AWS refused a check. 3: a finding. 4: no stack is deployed (--live).

    Example: [bold]kennel audit --live --html roles.html[/bold]
    """
    from ops.atomic_write import atomic_write
    from ops.audit import run, table
    from ops.audit.page import page
    from ops.cost.synthesis import synthesised
    from ops.output_path import check_file
    from ops.views.steps import terminal

    changed = overrides(settings)
    if live and (templates is not None or changed):
        raise typer.BadParameter("--live reads the deployed stacks; leave out -c and --templates.", param_hint="--live")
    if templates is not None and changed:
        raise typer.BadParameter("a setting changes the templates; leave out --templates.", param_hint="-c")
    if html is not None:
        check_file(html, suffix=".html")
    if live:
        report = run.of_account(context.obj, unused_days=unused_days)
    else:
        with nullcontext(templates) if templates else synthesised(context.obj, changed) as folder:
            report = run.of_templates(folder, context.obj)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(html, page(report, date.today()).encode())
    if as_json:
        echo(table.as_json(report))
    else:
        table.print_report(report, terminal())
        if html is not None:
            echo(f"The report is in {html}.")
    if report.unknown:
        raise typer.Exit(INCOMPLETE)
    if report.open:
        raise typer.Exit(FINDINGS)
    if not report.roles:
        raise typer.Exit(NOTHING_DEPLOYED)
