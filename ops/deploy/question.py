"""The one question of a deploy."""

import signal
import sys

from ops.deploy.errors import DeployRefusedError
from ops.echo import echo
from ops.question import answered_yes


def check_terminal(*, answered: bool) -> None:
    """Refuse a deploy that no user can confirm. answered: whether the user has said yes in advance.

    Raises DeployRefusedError.
    """
    if not answered and not sys.stdin.isatty():
        raise DeployRefusedError(
            "There is no terminal to ask in, so nothing was deployed. To deploy without a question: YES=1 make deploy."
        )


def confirm(question: str) -> None:
    """Wait for y. Raises DeployRefusedError for another answer, the end of the input or Ctrl-C."""
    try:
        yes = answered_yes(f"{question} [y/N] ")
    except SystemExit as end:
        if end.code != 128 + signal.SIGINT:
            raise
        yes = False
        echo("")
    if not yes:
        raise DeployRefusedError("Nothing was changed.")
