"""`kennel sweep`: what of an environment still bills, and its deletion."""

from typing import Annotated

import typer

from ops.commands.options import Env
from ops.echo import echo

INCOMPLETE, LEFT = 1, 3
"""Exit statuses, which the help and docs/sweep.md list."""


def sweep(
    context: typer.Context,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A region to look in; may be repeated. `all`: each region that the account has enabled. Default: the "
            "environment's.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Delete, after a question for each resource. Without it: list only.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON; questions go to stderr.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """List what of an environment still bills, by its tags, with its price a day. With --yes, delete it.

    A bucket that was deployed to be kept is never deleted, nor what a stack owns that can be destroyed.

    Exit status 0: nothing bills. 1: an error, or AWS refused a list. 3: something bills.

    Example: [bold]kennel sweep --region eu-west-1 --region us-east-1[/bold]
    """
    from ops.question import answered_yes
    from ops.sweep import table
    from ops.sweep.found import Found, Sweep
    from ops.sweep.run import delete
    from ops.sweep.run import sweep as run
    from ops.views.steps import Steps, terminal

    console = terminal(stderr=as_json)
    with Steps(console, total=1).step("Look for what bills") as report:
        swept = run(context.obj, region or [], report)
    if yes and any(not each.kept for each in swept.found):
        if not as_json:
            table.print_report(swept, console)

        def confirmed(found: Found) -> bool:
            return answered_yes(table.question(found), err=as_json)

        def said(found: Found, why: str) -> None:
            echo(f"The {found.kind} {found.name} was not deleted: {why}", err=True)

        after: list[Found] = []
        try:
            for each in delete(swept, confirmed, said):
                after.append(each)
                if each.deleted and not as_json:
                    echo(f"The {each.kind} {each.name} is deleted.")
        finally:  # Ctrl-C: say what is left
            swept = Sweep(
                environment=swept.environment,
                account=swept.account,
                regions=swept.regions,
                found=[*after, *swept.found[len(after) :]],
                unknown=swept.unknown,
            )
            if not as_json:
                table.print_report(swept, console)
    elif not as_json:
        table.print_report(swept, console)
    if as_json:
        echo(table.as_json(swept))
    if swept.unknown:
        raise typer.Exit(INCOMPLETE)
    if swept.left:
        raise typer.Exit(LEFT)
