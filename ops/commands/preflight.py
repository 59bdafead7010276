"""`kennel preflight`: find out what would stop a deploy, before anything is paid for."""

from typing import Annotated

import typer

from ops.commands.options import Env


def preflight(
    context: typer.Context,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--context", "-c", metavar="NAME=VALUE", help="A setting, as `make deploy` takes it. May be repeated."
        ),
    ] = None,
    stacks: Annotated[
        str, typer.Option("--stacks", metavar="NAMES", help="The stacks to deploy, such as 'Storage Serving'.")
    ] = "--all",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Find out what would stop a deploy: quotas, names, roles, photos, credentials. It changes nothing.

    Exit status 1 if the deploy would fail. Example: [bold]kennel preflight -c serving.scaling.max_instances=5[/bold]
    """
    from rich.console import Console

    from ops.preflight import table
    from ops.preflight.run import preflight as run
    from ops.views.steps import Steps, terminal

    console = Console(stderr=True) if as_json else terminal()
    with Steps(console, total=1).step("Check the account") as report:
        found = run(
            context.obj,
            _overrides(settings or []),
            stacks=stacks.split(),
            progress=lambda done, total, title: report(done, total, title if console.is_terminal else ""),
        )
    if as_json:
        typer.echo(table.as_json(found))
    else:
        table.print_report(found, console)
    if not found.passed:
        raise typer.Exit(1)


def _overrides(given: list[str]) -> dict[str, str]:
    """The context that CDK would make of these options."""
    pairs = [option.partition("=") for option in given]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise typer.BadParameter(f"{name!r} has no value. Write NAME=VALUE.", param_hint="-c")
    return {name: value for name, _, value in pairs}
