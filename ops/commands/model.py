"""`kennel predict` and `kennel report`: a trained model and the report of its training."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from contract.text import printable
from ops.commands.options import Env
from ops.echo import echo


def predict(
    photos: Annotated[
        list[str],
        typer.Argument(
            help="JPEG, PNG or WebP files, folders of them, patterns in quotes such as 'dogs/*.jpg', or - for "
            "standard input.",
            metavar="PHOTO...",
        ),
    ],
    model_dir: Annotated[
        Path,
        typer.Option(
            "--model", "--model-dir", help="The artifact: a training's model folder, or a job's model.tar.gz."
        ),
    ] = Path("build/rehearsal/job/model"),
    top_k: Annotated[int, typer.Option(min=1, help="Breeds to print for each photo.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each photo.")] = False,
) -> None:
    """Predict the breeds in photos with an artifact on this machine.

    Exit status 1 if a photo has no prediction; the others have theirs.

    Example: [bold]kennel predict rex.jpg dogs/ --model model.tar.gz[/bold]
    """
    from inference.artifact import ArtifactError
    from inference.classifier import Classifier
    from ops.model import predict as prediction
    from ops.model.archive import unpacked
    from ops.model.photos import named_photos
    from ops.views.steps import terminal

    if not model_dir.exists():
        raise ArtifactError(
            f"There is no {model_dir}. Name a job's model.tar.gz, or a training's model folder (--model); "
            "`make rehearse` makes one."
        )
    with unpacked(model_dir) if model_dir.is_file() else nullcontext(model_dir) as folder:
        classifier = Classifier(folder)
    console, found = terminal(), []
    for answer in prediction.answers(named_photos(photos), partial(classifier.predict, top_k=top_k)):
        found.append(answer)
        if as_json:
            echo(prediction.as_json(answer))
        elif answer.error or not console.is_terminal:
            echo(prediction.as_line(answer), err=bool(answer.error))
    right = [answer for answer in found if not answer.error]
    if right and not as_json and console.is_terminal:
        console.print(prediction.as_table(right))
    if len(right) < len(found):
        raise typer.Exit(1)


def report(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="S3_URI", help="A job's output.tar.gz. Default: the deployed stack's.")
    ] = "",
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page.")] = Path("build/report"),
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Download the report of a training: learning curves, confused breeds, mistakes, calibration.

    Example: [bold]kennel report --open[/bold]
    """
    import webbrowser

    from ops.model.report import fetch_report
    from ops.output_path import check_folder

    check_folder(to)
    page = fetch_report(target, to, environment=context.obj)
    echo(f"The report: {printable(page)}")
    if show and not webbrowser.open(page.resolve().as_uri()):
        echo("No browser could be started. Open the page yourself.", err=True)
