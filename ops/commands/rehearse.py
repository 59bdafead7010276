"""`kennel rehearse`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Seed, training_option


class Hosts(StrEnum):
    """Kind of a rehearsal's training hosts. auto: namespaces if the machine allows them."""

    AUTO = "auto"
    NAMESPACES = "namespaces"
    LOOPBACK = "loopback"


def rehearse(
    folder: Annotated[Path, typer.Option(help="Folder for all output.")] = Path("build/rehearsal"),
    data: Annotated[
        Path | None, typer.Option(help="Your photos: train/, valid/, test/, each with a folder for each breed.")
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Weights to start from: a file, `imagenet` to download, or `none`."),
    ] = None,
    epochs: Annotated[int | None, training_option("epochs", "Epochs; the default depends on the mode.")] = None,
    seed: Seed = 0,
    photos: Annotated[int, typer.Option(min=1, help="Limit of held-out photos to send.")] = 80,
    hosts: Annotated[
        Hosts, typer.Option(help="Training hosts: network namespaces, or processes over loopback.")
    ] = Hosts.AUTO,
) -> None:
    """Draw photos, train on two hosts, serve, and predict through the Lambda function: no account, no Docker.

    Example: [bold]kennel rehearse --data dogImages --pretrained resnet50.safetensors[/bold]
    """
    from ops.rehearse.plan import Plan
    from ops.rehearse.without_aws import rehearse as run
    from ops.views.steps import terminal

    if pretrained is not None and pretrained not in ("imagenet", "none"):
        pretrained = str(Path(pretrained).resolve())
    plan = Plan(
        folder=folder,
        data=data,
        pretrained=pretrained,
        epochs=epochs,
        seed=seed,
        hosts=hosts.value,
        most_photos=photos,
    )
    run(plan, terminal())
