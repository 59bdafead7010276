"""`kennel logs`: what training jobs, the endpoint, the function, drift checks and deploys have written."""

import json
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from contract.text import indented
from ops.commands.exit_codes import NOTHING_DEPLOYED
from ops.commands.options import Env
from ops.echo import echo

if TYPE_CHECKING:
    from ops.operate.log_lines import Line
    from ops.operate.log_sources import Kind

INTERVAL_S = 2.0
"""Between two looks. CloudWatch Logs answers five FilterLogEvents a second in the smallest regions."""


def logs(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="training|endpoint|lambda|drift|deploy",
            help="Whose log. Default: all of them, the drift checks only if they run daily.",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="30m, 2h, 1d, or a time such as 2026-11-28T03:00:00Z. Default: the start of the newest training job "
            "or drift check, the last operation of a stack, and an hour ago for the others.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each line.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Print the logs of training, the endpoint's containers, the function, drift checks, and the events of the stacks.

    The times are in UTC. It changes nothing.

    Exit status 1 if AWS could not be asked, 2 for a wrong option, 4 if nothing of that is deployed. Ctrl-C ends -f with
    0.

    Example: [bold]kennel logs training -f[/bold]

    Example: [bold]kennel logs endpoint lambda --since 30m --json[/bold]
    """
    from ops.operate import log_lines, log_sources
    from ops.operate.account import Account

    named = _kinds(what or [])
    start = _moment(since)
    account = Account.of(context.obj)
    kinds = named or log_sources.kinds_by_default(account)
    reason = log_sources.absent(account, kinds)
    if reason:
        echo(reason, err=True)
        if not follow:
            raise typer.Exit(NOTHING_DEPLOYED)
    follower = log_lines.Follower(log_sources.sources(account, kinds, start))
    show = _Printer(as_json=as_json, several=len(kinds) > 1)
    if not follow:
        lines = follower.new()
        for line in lines:
            show(line)
        if not lines and not reason:
            echo("Nothing was written in that time. An earlier time: --since 1d.", err=True)
        return
    try:
        log_lines.follow(follower, show, lambda text: echo(text, err=True), interval_s=INTERVAL_S)
    except SystemExit as end:
        if end.code != 128 + signal.SIGINT:
            raise


def _kinds(words: list[str]) -> "list[Kind]":
    from ops.operate.log_sources import Kind

    known = [kind.value for kind in Kind]
    for word in words:
        if word not in known:
            raise typer.BadParameter(f"{word!r} has no log; name one of {', '.join(known)}.", param_hint="WHAT")
    return [Kind(word) for word in dict.fromkeys(words)]


def _moment(text: str | None) -> float | None:
    from ops.operate.log_sources import moment

    try:
        return None if text is None else moment(text, time.time())
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no time. Write 30m, 2h, 1d, or 2026-11-28T03:00:00Z.", param_hint="--since"
        ) from error


class _Printer:
    def __init__(self, *, as_json: bool, several: bool) -> None:
        self._as_json = as_json
        self._several = several

    def __call__(self, line: "Line") -> None:
        if self._as_json:
            shown = {"at": line.time.isoformat(), "source": line.source, "stream": line.stream, "message": line.message}
            echo(json.dumps(shown))
            return
        words = [f"{line.time:%Y-%m-%d %H:%M:%S}"]
        if self._several:
            words.append(f"{line.source:<8}")
        if line.source == "deploy":
            words.append(line.stream)
        elif line.source == "training":
            words.append(line.stream.rpartition("/")[2].rpartition("-")[0])  # JOB/algo-1-1790000000
        elif line.source == "drift":
            words.append(line.stream.partition("/")[0].rpartition("-drift-")[2])  # PREFIX-drift-2026-11-27/algo-1-17
        echo(indented("  ".join([*words, line.message])))
