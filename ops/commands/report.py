"""`kennel report`: the report of a training."""

from pathlib import Path
from typing import Annotated

import typer

from contract.text import printable
from ops.commands.options import Env
from ops.echo import echo


def report(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="S3_URI", help="A job's output.tar.gz. Default: the deployed stack's.")
    ] = "",
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page.")] = Path("build/report"),
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Download the report of a training: learning curves, confused breeds, mistakes, calibration.

    Example: [bold]kennel report --open[/bold]
    """
    import webbrowser

    from ops.model.report import fetch_report
    from ops.output_path import check_folder

    check_folder(to)
    page = fetch_report(target, to, environment=context.obj)
    echo(f"The report: {printable(page)}")
    if show and not webbrowser.open(page.resolve().as_uri()):
        echo("No browser could be started. Open the page yourself.", err=True)
