"""`kennel preflight`: find out what would stop a deploy, before anything is paid for."""

from typing import Annotated

import typer

from ops.commands.options import Env, Settings, overrides
from ops.echo import echo


def preflight(
    context: typer.Context,
    settings: Settings = None,
    stacks: Annotated[
        str, typer.Option("--stacks", metavar="NAMES", help="The stacks to deploy, such as 'Storage Serving'.")
    ] = "--all",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Find out what would stop a deploy: quotas, names, roles, photos, credentials. It changes nothing.

    Exit status 1 if the deploy would fail. Example: [bold]kennel preflight -c serving.scaling.max_instances=5[/bold]
    """
    from ops.preflight import table
    from ops.preflight.run import preflight as run
    from ops.views.steps import Steps, terminal

    console = terminal(stderr=as_json)
    with Steps(console, total=1).step("Check the account") as report:
        found = run(
            context.obj,
            overrides(settings),
            stacks=stacks.split(),
            progress=lambda done, total, title: report(done, total, title if console.is_terminal else ""),
        )
    if as_json:
        echo(table.as_json(found))
    else:
        table.print_report(found, console)
    if not found.passed:
        raise typer.Exit(1)
