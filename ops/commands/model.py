"""`kennel predict` and `kennel report`: a trained model and the report of its training."""

from pathlib import Path
from typing import Annotated

import typer

from contract.text import printable
from ops.commands.options import Env
from ops.echo import echo


def predict(
    photos: Annotated[list[Path], typer.Argument(help="JPEG, PNG or WebP files.", metavar="PHOTO...")],
    model_dir: Annotated[
        Path,
        typer.Option(
            "--model", "--model-dir", help="The artifact: a training's model folder, or a job's model.tar.gz."
        ),
    ] = Path("build/rehearsal/job/model"),
    top_k: Annotated[int, typer.Option(min=1, help="Breeds to print for each photo.")] = 3,
) -> None:
    """Predict the breeds in photos with an artifact on this machine.

    Example: [bold]kennel predict rex.jpg --model model.tar.gz[/bold]
    """
    from inference.artifact import ArtifactError
    from inference.classifier import Classifier
    from inference.photo.errors import PhotoError
    from ops.model.archive import unpacked

    if not model_dir.exists():
        raise ArtifactError(
            f"There is no {model_dir}. Name a job's model.tar.gz, or a training's model folder (--model); "
            "`make rehearse` makes one."
        )
    if model_dir.is_file():
        with unpacked(model_dir) as folder:
            classifier = Classifier(folder)
    else:
        classifier = Classifier(model_dir)
    failed = False
    for photo in photos:
        try:
            predictions = classifier.predict(photo.read_bytes(), top_k=top_k)
        except (PhotoError, OSError) as error:
            failed = True
            echo(f"{printable(photo)}: {printable(error)}", err=True)
            continue
        echo(f"{printable(photo)}: " + ", ".join(f"{p.breed} {p.probability:.1%}" for p in predictions))
    if failed:
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

    page = fetch_report(target, to, environment=context.obj)
    echo(f"The report: {printable(page)}")
    if show and not webbrowser.open(page.resolve().as_uri()):
        echo("No browser could be started. Open the page yourself.", err=True)
