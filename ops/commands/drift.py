"""`kennel drift`: whether callers' photos are like the test photos."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.exit_codes import NEEDS_ATTENTION, NOTHING_DEPLOYED
from ops.commands.options import Env, number
from ops.echo import echo

TOO_FEW = 5
"""AWS answered, and there are too few captured photos to say. docs/drift.md lists the exit statuses."""

_TIME = "Write 30m, 2h, 7d, or 2026-11-28T03:00:00Z."


def drift(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Start of the period: 2h, 7d, or a time such as 2026-11-28T03:00:00Z.")
    ] = "7d",
    until: Annotated[str, typer.Option(metavar="TIME", help="Its end, in the same form. Default: now.")] = "",
    most: Annotated[
        int, number("Calls to compare; of more, an even part of the period is downloaded.", least=1, most=100_000)
    ] = 2000,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The test photos, for a model trained before artifacts had their measures. The model classifies them "
            "on this machine.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page too, which has charts and no photo.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Compare the photos that callers send with the test photos: confidence, breeds, brightness, size.

    It reads the calls that the endpoint has captured (serving.capture.percent), and changes nothing. Each distance
    stands beside what chance alone gives for that number of photos.

    Exit status 0: no drift. 1: an error, or the endpoint captures nothing. 3: drift. 4: there is no endpoint. 5: too
    few photos to say.

    Example: [bold]kennel drift --since 30d --html drift.html[/bold]
    """
    from inference.drift.page import page
    from ops.atomic_write import atomic_write
    from ops.drift import table
    from ops.drift.check import check, deployed_endpoint
    from ops.operate.account import Account
    from ops.output_path import check_file
    from ops.views.steps import Steps, terminal

    now = datetime.now(UTC)
    start, end = _moment(since, now, "--since"), _moment(until, now, "--until") if until else now
    if start >= end:
        raise typer.BadParameter(
            f"the period ends before it begins ({since} to {until or 'now'}).", param_hint="--since"
        )
    if html is not None:
        check_file(html, suffix=".html")
    account = Account.of(context.obj)
    deployed = deployed_endpoint(account)
    if deployed is None:
        echo(
            f"The environment {account.environment.name} has no endpoint, so nothing is captured. Deploy it (make "
            f"deploy), or name another environment (kennel --env NAME).",
            err=True,
        )
        raise typer.Exit(NOTHING_DEPLOYED)
    steps = Steps(terminal(stderr=True), total=3 if photos is None else 4)
    found = check(*deployed, since=start, until=end, most=most, photos=photos, steps=steps)
    if html is not None:
        atomic_write(html, page(found.comparison).encode(errors="replace"))
    if as_json:
        echo(table.as_json(found))
    else:
        table.print_check(found, terminal())
        if html is not None:
            echo(f"The page is {html}.")
    if found.comparison.verdict == "drift":
        raise typer.Exit(NEEDS_ATTENTION)
    if found.comparison.verdict == "too few photos":
        raise typer.Exit(TOO_FEW)


def _moment(text: str, now: datetime, option: str) -> datetime:
    from ops.operate.log_sources import moment

    try:
        return datetime.fromtimestamp(moment(text, now.timestamp()), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise typer.BadParameter(f"{text!r} is no time. {_TIME}", param_hint=option) from error
