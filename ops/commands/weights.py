"""`kennel weights`: send pretrained weights to the bucket, so that training hosts need not download them."""

from pathlib import Path
from typing import Annotated

import typer

import environments
from contract.text import printable
from ops.commands.options import Env
from ops.echo import echo

app = typer.Typer(no_args_is_help=True, help="Pretrained weights: send them to the bucket.")


@app.command()
def upload(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A .safetensors file with ResNet50's weights, an artifact's model.safetensors, or `imagenet`, which "
            "is downloaded.",
        ),
    ] = "imagenet",
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Check pretrained weights and send them to the bucket. The next deploy trains from them.

    Without weights in the bucket each training host downloads ImageNet's while it is billed.

    Example: [bold]kennel weights upload[/bold], after `make deploy STACKS=Storage` has created the bucket
    """
    from contract.weights import RESNET50_IMAGENET
    from ops.views.steps import Steps, terminal
    from ops.weights.bucket import found, send, weights_bucket
    from ops.weights.check import CheckedWeights, checked
    from training.model.download import downloaded

    if "://" in file:
        raise typer.BadParameter(
            f"{printable(file)} is an address; name a file of this machine. To train from weights that are in S3 "
            "already: make deploy ARGS='-c training.pretrained_uri=s3://BUCKET/KEY.safetensors'",
            param_hint="FILE",
        )
    imagenet = file == "imagenet"
    steps = Steps(terminal(), total=2 + imagenet)

    def check(path: Path) -> CheckedWeights:
        with steps.step(f"Check {path.name}"):
            return checked(path)

    path = Path(file)
    read = None if imagenet else check(path)  # a wrong file is an error without credentials too
    bucket = weights_bucket(context.obj)
    there = found(RESNET50_IMAGENET.sha256, bucket, environment=context.obj) if imagenet else None
    if there is None:
        if read is None:
            with steps.step("Download ImageNet's weights", in_bytes=True) as report:
                path = downloaded(RESNET50_IMAGENET, lambda done, total: report(done, total, ""))
            read = check(path)
        with steps.step(f"Send {path.name}", in_bytes=True) as report:
            there = send(
                read.content,
                read.sha256,
                bucket,
                environment=context.obj,
                progress=lambda done, total: report(done, total, ""),
            )
    echo(f"{there.uri} {'was already there' if there.already_there else 'was sent'}.")
    _say_what_trains(context.obj)


def _say_what_trains(environment: str) -> None:
    from ops.weights.bucket import chosen_in_file

    deploy = "make deploy" if environment == environments.DEFAULT else f"make deploy ENV={environment}"
    instead = chosen_in_file(environment)
    if instead:
        echo(f"{environments.load(environment).file} has {instead}, which a deploy uses instead.", err=True)
    else:
        echo(f"The next training starts from these weights: {deploy}")
