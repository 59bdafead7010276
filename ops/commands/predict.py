"""`kennel predict`: the breeds in photos, by a model on this machine or by whatever serves one."""

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ops.commands.options import Env, number
from ops.echo import echo

if TYPE_CHECKING:
    from ops.model.predict import Predict

MODEL = Path("build/rehearsal/job/model")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]*")
"""Names and ARNs of functions and endpoints. They have neither dots nor slashes, unlike most photos."""
_NAMELESS = ("--endpoint", "--lambda")


class PredictCommand(TyperCommand):
    """A command whose --endpoint and --lambda may stand without a name: the parser would take the photo after them."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Write `--lambda NAME` as `--lambda=NAME`, and `--lambda` before anything else as `--lambda=`."""
        return super().parse_args(ctx, list(_with_values(args)))


def _with_values(words: Sequence[str]) -> Iterator[str]:
    rest = iter(range(len(words)))
    for place in rest:
        word, following = words[place], "".join(words[place + 1 : place + 2])
        if word == "--":
            yield from words[place:]
            return
        if word not in _NAMELESS:
            yield word
        elif _NAME.fullmatch(following) and not Path(following).exists():
            yield f"{word}={following}"
            next(rest)
        else:
            yield f"{word}="


def predict(
    context: typer.Context,
    photos: Annotated[
        list[str],
        typer.Argument(
            help="JPEG, PNG or WebP files, folders of them, patterns in quotes such as 'dogs/*.jpg', or - for "
            "standard input.",
            metavar="PHOTO...",
        ),
    ],
    model_dir: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "--model-dir",
            help=f"The artifact: a training's model folder, or a job's model.tar.gz. Default: {MODEL}.",
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="[NAME]", help="Ask a SageMaker endpoint. Default: that of the Serving stack."
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(
            "--lambda",
            metavar="[NAME]",
            help="Ask a Lambda function by its name or ARN, through its alias `live` unless the name has one. "
            "Default: the function of the Api stack.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask an address: that of a page (`kennel serve` prints one), the Api stack's output HttpUrl, or a "
            "container's /invocations.",
        ),
    ] = None,
    top_k: Annotated[int, number("Breeds to print for each photo.", least=1, most=1000)] = 3,
    wait: Annotated[
        float,
        number("How long a photo may wait for a busy target.", least=0, most=3600, metavar="SECONDS"),
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each photo.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Predict the breeds in photos: with an artifact on this machine, or by what serves one.

    Exit status 1 if a photo has no prediction; the others have theirs.

    Example: [bold]kennel predict rex.jpg dogs/ --model model.tar.gz[/bold]

    Example: [bold]kennel predict rex.jpg --lambda[/bold]

    Example: [bold]kennel predict rex.jpg --url http://127.0.0.1:8000/[/bold]

    Example: [bold]kennel --env production predict 'dogs/*.jpg' --endpoint --json[/bold]
    """
    chosen = [
        name
        for name, value in (("--model", model_dir), ("--endpoint", endpoint), ("--lambda", function), ("--url", url))
        if value is not None
    ]
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} name different targets; give one of them.")
    if chosen in ([], ["--model"]):
        _print(photos, _local(model_dir or MODEL, top_k), as_json=as_json, at_once=1)
        return
    from ops.targets.address import address
    from ops.targets.aws import AT_ONCE
    from ops.targets.endpoint import endpoint as of_endpoint
    from ops.targets.function import function as of_function
    from ops.targets.patience import patient

    if function is not None:
        ask = of_function(function, environment=context.obj, top_k=top_k)
    elif url is not None:
        ask = address(url, environment=context.obj, top_k=top_k)
    else:
        ask = of_endpoint(endpoint or "", environment=context.obj, top_k=top_k)
    _print(photos, patient(ask, wait), as_json=as_json, at_once=AT_ONCE)


def _local(model_dir: Path, top_k: int) -> "Predict":
    from inference.artifact import ArtifactError
    from inference.classifier import Classifier
    from ops.model.archive import unpacked

    if not model_dir.exists():
        raise ArtifactError(
            f"There is no {model_dir}. Name a job's model.tar.gz, or a training's model folder (--model); "
            "`make rehearse` makes one. --endpoint and --lambda ask what is deployed."
        )
    with unpacked(model_dir) if model_dir.is_file() else nullcontext(model_dir) as folder:
        classifier = Classifier(folder)
    return partial(classifier.predict, top_k=top_k)


def _print(words: list[str], ask: "Predict", *, as_json: bool, at_once: int) -> None:
    """Print an answer for each photo. Raises typer.Exit if one has no prediction."""
    from ops.model import predict as prediction
    from ops.model.photos import named_photos
    from ops.views.steps import terminal

    console, found = terminal(), []
    try:
        for answer in prediction.answers(named_photos(words), ask, at_once=at_once):
            found.append(answer)
            if as_json:
                echo(prediction.as_json(answer))
            elif answer.error or not console.is_terminal:
                echo(prediction.as_line(answer), err=bool(answer.error))
    finally:
        right = [answer for answer in found if not answer.error]
        if right and not as_json and console.is_terminal:
            console.print(prediction.as_table(right))
    if len(right) < len(found):
        raise typer.Exit(1)
