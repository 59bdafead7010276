"""A local AWS that runs on after the rehearsal, and the variables with which a shell uses it."""

import shlex
import signal
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from contract.text import printable
from ops.atomic_write import atomic_write
from ops.rehearse.isolation import FOREIGN, LOOPBACK

FILE = "aws.sh"
ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def keep(
    folder: Path,
    variables: Mapping[str, str],
    settings: list[str],
    console: Console,
    *,
    trains: bool,
    page: str,
    photos: Path,
) -> None:
    """Say how to use the local AWS and how to end it, and wait for that.

    folder: of the rehearsal. settings: NAME=VALUE, with which it was deployed. trains: whether a deploy trains.
    page: the address of the page; empty if the settings leave it out. photos: a folder of photos to try there.
    """
    file = folder / FILE
    atomic_write(file, shell(variables).encode(), mode=0o600)  # other programs wait for this file
    options = shlex.quote(" ".join(f"-c {shlex.quote(setting)}" for setting in settings))
    upload = ("make data-upload DIR=dogImages", "other photos, with which the next deploy trains")
    if page:
        console.print("\n[bold]The page:[/bold] open it in a browser, and drop photos of dogs on it.\n")
        console.print(f"  {escape(printable(page))}", soft_wrap=True)
        console.print(f"\nPhotos to try are in {escape(printable(str(photos)))}/", soft_wrap=True)
    console.print("\n[bold]The local AWS runs on.[/bold] In another shell, in this folder:\n")
    for line, what in (
        (f"source {file}", "the shell uses this AWS, and no other"),
        ("aws s3 ls", "the AWS CLI, boto3 and cdk find it by these variables"),
        (f"make deploy ARGS={options}", "what was deployed; other settings update it"),
        *([upload] if trains else []),
        (".venv/bin/kennel predict rex.jpg --lambda", "ask the function; --endpoint asks the endpoint itself"),
        ("make destroy YES=1", "delete every stack"),
    ):
        console.print(f"  {escape(printable(line))}  [dim]# {what}", soft_wrap=True)
    console.print("\nCtrl-C here ends it, and everything in it.")
    try:
        while True:
            signal.pause()
    except SystemExit as end:
        if end.code not in [128 + number for number in ENDED_BY]:
            raise
    finally:
        file.unlink(missing_ok=True)
    console.print("The local AWS has ended. No process is left.")


def shell(variables: Mapping[str, str]) -> str:
    """The file to source: it removes the shell's own variables for AWS and CDK, and sets those of the local AWS."""
    own = {name: value for name, value in variables.items() if name.startswith(FOREIGN)}
    exported = [f"export {name}={shlex.quote(value)}" for name, value in own.items()]
    return "\n".join(
        [
            "# Source it in a shell that shall use the local AWS of a rehearsal, and no other.",
            f"unset $(env | sed -n -E 's/^(({'|'.join(FOREIGN)})[A-Za-z0-9_]*)=.*/\\1/p')",
            *exported,
            f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{",".join(LOOPBACK)}" no_proxy="${{NO_PROXY:+$NO_PROXY,}}'
            f'{",".join(LOOPBACK)}"',
            "",
        ]
    )
