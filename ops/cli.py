"""The `kennel` command."""

import os
import signal
import sys
import traceback
from contextlib import suppress
from importlib.metadata import version as package_version
from io import TextIOWrapper
from itertools import pairwise
from types import FrameType
from typing import Annotated

from ops.missing_package import missing_package
from ops.sentences import NO_SPACE, is_sentence, sentence

try:
    import typer
except ModuleNotFoundError as error:  # `make synth` and `make bootstrap` install only CDK's packages
    sys.exit(f"kennel: {missing_package(error, sys.argv)}")

from contract.text import indented
from contract.utf8_mode import start_in_utf8_mode
from ops.commands import data, weights
from ops.commands.audit import audit
from ops.commands.capacity import capacity
from ops.commands.cost import cost
from ops.commands.deploy import deploy
from ops.commands.drift import drift
from ops.commands.logs import logs
from ops.commands.models import models
from ops.commands.options import Env
from ops.commands.predict import PredictCommand, predict
from ops.commands.preflight import preflight
from ops.commands.rehearse import rehearse
from ops.commands.report import report
from ops.commands.retrain import retrain
from ops.commands.rollback import rollback
from ops.commands.serve import serve
from ops.commands.status import status
from ops.commands.sweep import sweep
from ops.commands.why import why
from ops.echo import echo, echo_error

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # every command below inherits it
)
# The order of `kennel --help`.
app.command()(rehearse)
app.command(cls=PredictCommand)(predict)
app.command()(serve)
app.command()(report)
app.command()(preflight)
app.command()(cost)
app.command()(capacity)
app.command()(deploy)
app.command()(audit)
app.command()(status)
app.command()(logs)
app.command()(why)
app.command()(models)
app.command()(drift)
app.command()(retrain)
app.command()(rollback)
app.command()(sweep)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


CONTINUED = {("data", "sample"), ("data", "upload"), ("weights", "upload")}
"""Commands that, run again, use what an interrupted run has finished."""


def _print_version(requested: bool) -> None:
    """Print the version of the installed package, which pyproject.toml declares."""
    if requested:
        echo(f"kennel {package_version('kennel')}")
        raise typer.Exit


@app.callback()
def kennel(
    env: Env = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train and serve a dog-breed classifier, on AWS or on this machine."""


def main() -> None:
    """Entry point. Errors that the user can correct are printed as one sentence, without a traceback."""
    start_in_utf8_mode()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a photo's name may contain bytes that are not UTF-8
    try:
        app()
    except SystemExit as end:
        if end.code == 128 + signal.SIGINT:
            echo(f"\nInterrupted. No process is left. {_next_run(sys.argv)}", err=True)
        raise
    except ModuleNotFoundError as error:
        remedy = missing_package(error, sys.argv)
        if not remedy:
            raise
        echo_error(remedy)
        sys.exit(1)
    except Exception as error:
        if is_sentence(error):
            echo_error(sentence(error))
            if isinstance(error, OSError) and error.errno in NO_SPACE:
                _drop_output()
        else:
            # a bug; the interpreter would print the message with its control characters
            echo(indented(traceback.format_exc().rstrip()), err=True)
        sys.exit(1)


def _drop_output() -> None:
    """What could not be written is still buffered, and the interpreter would try again at its end, with a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _next_run(words: list[str]) -> str:
    """What the interrupted command does if it is run again."""
    if rehearse.__name__ in words:  # its local AWS has ended, with everything that was deployed
        return "The same command begins a new rehearsal, with the photos and weights that are complete on this machine."
    if retrain.__name__ in words:  # Ctrl-C does not stop a job, and the same inputs are the same job
        return "If the training job was started, it goes on, and the same command follows it."
    if ("data", data.split.__name__) in pairwise(words):
        return "Nothing was written. The same command begins again."
    if not CONTINUED & set(pairwise(words)):
        return "The same command begins again."
    return "The same command continues where this one stopped."


def _end(number: int, _: FrameType | None) -> None:
    """Ctrl-C, SIGTERM and a closed terminal unwind the stack, so that every `with` block ends its processes.

    Raises SystemExit, because typer handles KeyboardInterrupt itself, before `main` can print a message.
    """
    sys.exit(128 + number)
