"""`kennel serve`: an artifact and its page on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from contract.text import printable
from ops.commands.options import number
from ops.echo import echo


def serve(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="The artifact: a training's model folder, or a job's model.tar.gz."),
    ] = Path("build/rehearsal/job/model"),
    port: Annotated[int, number("Port of 127.0.0.1; 0 for a free one.", least=0, most=65535)] = 0,
) -> None:
    """Serve an artifact and the page on this machine: drop photos there and read their breeds.

    The page is open to this machine alone. Each request is a line of JSON below the address. Ctrl-C ends it.

    Example: [bold]kennel serve build/rehearsal/job/model --port 8000[/bold]
    """
    from ops.serve.run import serve as run

    def listening(address: str) -> None:
        echo(f"The page: {address}  (Ctrl-C ends it)")

    code = run(model, port, listening)
    if code:
        raise typer.Exit(code)
    echo(f"The server of {printable(model)} has ended. No process is left.")
