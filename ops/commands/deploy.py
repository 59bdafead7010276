"""`kennel deploy`: what `make deploy` runs."""

from typing import Annotated

import typer

from ops.commands.options import Env


def deploy(
    context: typer.Context,
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- CDK_OPTION", help="Options of `cdk deploy`, such as -c NAME=VALUE."),
    ] = None,
    stacks: Annotated[
        str, typer.Option("--stacks", metavar="NAMES", help="The stacks to deploy, such as 'Storage Serving'.")
    ] = "--all",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: for CI.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Check the account, show permissions, price and minutes, ask once, and deploy.

    Example: [bold]kennel deploy --stacks Api -- -c api.memory_mib=512[/bold]
    """
    from ops.deploy.run import deploy as run
    from ops.views.steps import terminal

    run(context.obj, stacks.split(), options or [], terminal(), answered=yes)
