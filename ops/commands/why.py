"""`kennel why`: what failed last, and what to do about it."""

import json
from typing import Annotated

import typer

from ops.commands.exit_codes import NEEDS_ATTENTION, NOTHING_DEPLOYED
from ops.commands.options import Env
from ops.echo import echo


def why(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="An error that you have seen, in quotes, such as the text of a mail or a line of a log: explain it "
            "without asking AWS.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Explain what failed last: the root cause, the log lines about it, and the entry of docs/runbook.md.

    It looks at the stacks' events, the newest training job and drift check, the endpoint, the function's and the
    containers' logs, and the alarms. It changes nothing.

    Exit status 0 if nothing has failed, 1 if AWS did not say all of it or the text has no entry, 3 if something has
    failed, 4 if nothing is deployed.

    Example: [bold]kennel why[/bold]

    Example: [bold]kennel why 'ResourceLimitExceeded: The account-level service limit is 0'[/bold]
    """
    from ops.operate import why_page
    from ops.operate.account import Account
    from ops.operate.failures import diagnose
    from ops.views.steps import terminal

    if words:
        _explain(" ".join(words), as_json=as_json)
        return
    account = Account.of(context.obj)
    found = diagnose(account)
    if as_json:
        echo(why_page.as_json(found))
    else:
        why_page.print_diagnosis(found, account.option, terminal())
    if found.failures:
        raise typer.Exit(NEEDS_ATTENTION)
    if found.unknown:
        raise typer.Exit(1)
    if found.nothing_deployed:
        raise typer.Exit(NOTHING_DEPLOYED)


def _explain(text: str, *, as_json: bool) -> None:
    from ops.operate.runbook import explained_by
    from ops.operate.why_page import entry_as_json, print_entry
    from ops.views.steps import terminal

    heading = explained_by(text)
    if as_json:
        echo(json.dumps({"text": text, **entry_as_json(heading)}, indent=2))
    elif heading:
        print_entry(heading, terminal())
    else:
        echo("No entry of docs/runbook.md has these words. `kennel why` alone asks AWS what failed last.", err=True)
    if not heading:
        raise typer.Exit(1)
