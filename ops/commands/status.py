"""`kennel status`: one screen about what is deployed."""

from typing import Annotated

import typer

from ops.commands.exit_codes import NEEDS_ATTENTION, NOTHING_DEPLOYED
from ops.commands.options import Env
from ops.echo import echo


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Show what is deployed: endpoint, instances, last training, alarms, last errors, and what it costs now.

    It changes nothing.

    Exit status 0 if everything works, 1 if AWS did not say all of it, 3 if something needs attention, 4 if nothing is
    deployed.

    Example: [bold]kennel status[/bold]

    Example: [bold]kennel --env production status --json[/bold]
    """
    from ops.operate import status_page
    from ops.operate.account import Account
    from ops.operate.status import status as look
    from ops.views.steps import terminal

    account = Account.of(context.obj)
    found = look(account)
    if as_json:
        echo(status_page.as_json(found, account.option))
    else:
        status_page.print_status(found, account.option, terminal())
    if found.problems:
        raise typer.Exit(NEEDS_ATTENTION)
    if found.unknown:
        raise typer.Exit(1)
    if found.nothing_deployed:
        raise typer.Exit(NOTHING_DEPLOYED)
