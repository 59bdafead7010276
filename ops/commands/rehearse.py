"""`kennel rehearse`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Env, Seed, Settings, number, overrides, training_option


class Hosts(StrEnum):
    """Kind of a rehearsal's training hosts. auto: namespaces if the machine allows them."""

    AUTO = "auto"
    NAMESPACES = "namespaces"
    LOOPBACK = "loopback"


def rehearse(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Folder for all output.")] = Path("build/rehearsal"),
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Your photos, such as dogImages: train/, valid/, test/, each with a folder for each breed.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Weights to start from: a file such as resnet50.safetensors, `imagenet` to download, or `none`.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A finished artifact, such as build/rehearsal/job/model: nothing is trained."),
    ] = None,
    epochs: Annotated[int | None, training_option("epochs", "Epochs; the default depends on the mode.")] = None,
    seed: Seed = 0,
    photos: Annotated[int, number("Limit of held-out photos to send.", least=1)] = 80,
    settings: Settings = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Also update the endpoint while it is called, roll back a broken model, and destroy all."
        ),
    ] = False,
    load: Annotated[bool, typer.Option("--load", help="Also scale the endpoint with a load, and plot it.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the local AWS running until Ctrl-C, and say how to use it.")
    ] = False,
    without_aws: Annotated[
        bool, typer.Option("--without-aws", help="The programs alone: no deployment, no local AWS.")
    ] = False,
    hosts: Annotated[
        Hosts, typer.Option(help="Training hosts: network namespaces, or processes over loopback.")
    ] = Hosts.AUTO,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Deploy to an AWS on this machine with the real CDK, train there, and predict: no account, no Docker.

    Example: [bold]kennel rehearse --data dogImages -c serving.scaling.max_instances=5[/bold]
    """
    from ops.rehearse.plan import Plan
    from ops.rehearse.run import rehearse as run
    from ops.views.steps import terminal

    overrides(settings)  # refuse a setting without a value
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
        environment=context.obj,
        settings=tuple(settings or ()),
        without_aws=without_aws,
        full=full,
        load=load,
        keep=keep,
        model=model,
    )
    if without_aws and plan.needs_deployment:
        raise typer.BadParameter(
            "It deploys nothing, so it takes neither --full, --load, --keep, --model nor -c.",
            param_hint="--without-aws",
        )
    run(plan, terminal())
