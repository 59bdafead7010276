"""The `kennel` command."""

import os
import signal
import sys
from enum import StrEnum
from importlib.metadata import version as package_version
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from ops.missing_package import missing_package

try:
    import typer
except ModuleNotFoundError as error:  # `make synth` and `make bootstrap` install only CDK's packages
    sys.exit(f"kennel: {missing_package(error, sys.argv)}")

import environments
from contract.declarations import declarations
from contract.options import TrainingOptions, option_name
from environments import EnvironmentRefusedError
from environments.agreement import VARIABLE, chosen

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # every command below inherits it
)
data_app = typer.Typer(no_args_is_help=True, help="Photos: draw a sample, check and upload yours.")
app.add_typer(data_app, name="data")


class Hosts(StrEnum):
    """Kind of a rehearsal's training hosts. auto: namespaces if the machine allows them."""

    AUTO = "auto"
    NAMESPACES = "namespaces"
    LOOPBACK = "loopback"


SHEET = Path("build/data-check.png")
"""The image that `data check` writes."""
CHECK_FILE = SHEET.with_suffix(".json")
"""The findings that `data check` writes and `data upload` reads."""

SENTENCES = frozenset(
    {
        "environments.environment.EnvironmentRefusedError",
        "inference.artifact.ArtifactError",
        "ops.data.aws_errors.BucketError",
        "ops.model.report.ReportError",
        "ops.rehearse.RehearsalError",
        "rehearsal.aws.runtime_api.FunctionError",
        "rehearsal.hosts.namespaces.NamespacesRefusedError",
        "rehearsal.hosts.training_job.TrainingJobFailedError",
        "rehearsal.processes.ProcessFailedError",
        "stacks.settings.rules.SettingsError",
        "sample_dogs.dataset.SampleFolderError",
        "sample_dogs.dataset.SampleRequestError",
        "training.data.dataset.DataError",
    }
)
"""Exceptions whose message is a sentence for the user. By name: the packages of the other commands may be missing."""


def _training_option(field: str, text: str) -> Any:
    """A command-line option that is an option of training too, with the range that contract/options.py declares."""
    declaration = declarations(TrainingOptions)[field]

    def checked(value: int | None) -> int | None:
        sentence = None if value is None else declaration.error(f"--{option_name(field)}", value)
        if sentence:
            raise typer.BadParameter(sentence)
        return value

    return typer.Option(callback=checked, help=f"{text} Must be {declaration.range}.")


Seed = Annotated[int, _training_option("seed", "The same seed draws the same photos.")]


def _choose(context: typer.Context, name: str | None) -> str | None:
    """Keep the environment's name for the command. --env before a command and after it must agree."""
    outer = context.find_root().params.get("env") if context.parent else None
    if name is not None and outer is not None and name != outer:
        raise EnvironmentRefusedError(f"--env is {outer!r} and {name!r}; name one environment.")
    if not context.resilient_parsing and (name is not None or context.obj is None):
        context.obj = chosen(name, os.environ)
        if context.obj != environments.DEFAULT:
            environments.load(context.obj)  # refuse an unknown name, also if the command reads no environment
    return name


Env = Annotated[
    str | None,
    typer.Option(
        "--env",
        metavar="NAME",
        callback=_choose,
        help=f"The environment: environments/NAME.toml. Default: {VARIABLE}, or {environments.DEFAULT}.",
    ),
]


def _print_version(requested: bool) -> None:
    """Print the version of the installed package, which pyproject.toml declares."""
    if requested:
        typer.echo(f"kennel {package_version('kennel')}")
        raise typer.Exit


@app.callback()
def kennel(
    env: Env = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train and serve a dog-breed classifier, on AWS or on this machine."""


@app.command()
def rehearse(
    folder: Annotated[Path, typer.Option(help="Folder for all output.")] = Path("build/rehearsal"),
    data: Annotated[
        Path | None, typer.Option(help="Your photos: train/, valid/, test/, each with a folder for each breed.")
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Weights to start from: a file, `imagenet` to download, or `none`."),
    ] = None,
    epochs: Annotated[int | None, _training_option("epochs", "Epochs; the default depends on the mode.")] = None,
    seed: Seed = 0,
    photos: Annotated[int, typer.Option(min=1, help="Limit of held-out photos to send.")] = 80,
    hosts: Annotated[
        Hosts, typer.Option(help="Training hosts: network namespaces, or processes over loopback.")
    ] = Hosts.AUTO,
) -> None:
    """Draw photos, train on two hosts, serve, and predict through the Lambda function: no account, no Docker.

    Example: [bold]kennel rehearse --data dogImages --pretrained resnet50.safetensors[/bold]
    """
    from ops.rehearse import Plan
    from ops.rehearse import rehearse as run
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


@app.command()
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
            typer.echo(f"{photo}: {error}", err=True)
            continue
        typer.echo(f"{photo}: " + ", ".join(f"{p.breed} {p.probability:.1%}" for p in predictions))
    if failed:
        raise typer.Exit(1)


@data_app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, or an earlier sample.")],
    train: Annotated[int, typer.Option(min=0, help="Training photos for each breed.")] = 40,
    valid: Annotated[int, typer.Option(min=0, help="Validation photos for each breed.")] = 8,
    test: Annotated[int, typer.Option(min=0, help="Test photos for each breed.")] = 8,
    seed: Seed = 0,
) -> None:
    """Draw a small data set of cartoon dogs, DIR/{train,valid,test}/<breed>/*.jpg.

    Example: [bold]kennel data sample photos --train 100 --seed 7[/bold]
    """
    from ops.views.steps import Steps, terminal
    from sample_dogs.dataset import write_sample

    console = terminal()
    with Steps(console, total=1).step("Draw cartoon dogs") as report:
        counts = {"train": train, "valid": valid, "test": test}
        summary = write_sample(folder, counts=counts, seed=seed, progress=lambda done, all_: report(done, all_, ""))
    typer.echo(f"{summary.photos} photos of {len(summary.breeds)} breeds are in {folder}: {', '.join(summary.breeds)}")


@data_app.command(name="check")
def check_photos(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="train/, valid/ and test/, each with a folder for each breed.")
    ],
    sheet: Annotated[
        Path,
        typer.Option(metavar="PNG", help="Image of the findings. A .json with the findings is written next to it."),
    ] = SHEET,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, with every photo.")] = False,
) -> None:
    """Check every photo for faults that make a training worse: leaks between splits, broken and missing photos.

    Exit status 1 if there are errors. Example: [bold]kennel data check dogImages[/bold]
    """
    from rich.console import Console

    from ops.data import check_file, table
    from ops.data.check import check
    from ops.views.data_sheet import breeds_shown, data_sheet
    from ops.views.steps import Steps, terminal

    if sheet.suffix == ".json":
        raise typer.BadParameter(f"{sheet} is the file for the findings. Name a PNG.", param_hint="--sheet")
    console = Console(stderr=True) if as_json else terminal()
    with Steps(console, total=1).step(f"Check the photos in {folder}") as report:
        found = check(folder, progress=lambda done, total: report(done, total, ""))
        data_sheet(found, sheet)
        check_file.write(found, sheet.with_suffix(".json"))
    if as_json:
        typer.echo(check_file.as_json(found))
    else:
        table.print_check(found, console)
        shown = breeds_shown(found)
        typer.echo(f"Image of the findings: {sheet}" + (f", of {shown}" if shown else ""))
        if sheet.with_suffix(".json") != CHECK_FILE:
            typer.echo(
                f"The findings are in {sheet.with_suffix('.json')}; `kennel data upload` reads {CHECK_FILE} alone."
            )
    if not found.passed:
        raise typer.Exit(1)


@data_app.command(name="upload")
def upload_photos(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="train/, valid/ and test/, each with a folder for each breed.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="S3_URI", help="Such as s3://my-bucket/data. Default: where the environment trains from."
        ),
    ] = "",
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Copy photos to the bucket. Photos that are already there are not sent again.

    Example: [bold]kennel data upload dogImages[/bold], after `make deploy STACKS=Storage` has created the bucket
    """
    from ops.data import check_file
    from ops.data.bucket import data_uri
    from ops.data.upload import Progress, upload
    from ops.views.steps import Steps, terminal

    console = terminal()
    with Steps(console, total=1).step(f"Upload {folder.resolve().name}", in_bytes=True) as report:

        def show(now: Progress) -> None:
            note = f"{now.photos}/{now.of_photos} photos" if console.is_terminal else ""  # not one line for each photo
            report(now.done_bytes, now.of_bytes, note)

        summary = upload(folder, target, environment=context.obj, progress=show)
    typer.echo(f"{summary.uploaded} photos sent to {summary.target}, {summary.already_there} were already there.")
    typer.echo(f"Digest of the photos in {folder}: {summary.digest}; in the bucket: {summary.bucket_digest}")
    if summary.untracked:
        typer.echo(
            f"{len(summary.untracked)} photos in the bucket are not in {folder}, such as {summary.untracked[0]}. "
            "Training uses them too. Remove them with `aws s3 rm` if that is wrong.",
            err=True,
        )
    if not summary.is_comparable:
        typer.echo(
            "The photos are the same, but the digests differ: S3's checksums in this bucket are not MD5s (a KMS key). "
            "Compare what `kennel data version` prints for it with itself only.",
            err=True,
        )
    match check_file.verdict(summary.digest, CHECK_FILE):
        case "errors":
            typer.echo(f"`make data-check DIR={folder}` found errors in these photos; correct them before you train.")
        case "not checked":
            typer.echo(f"{CHECK_FILE} has no check of these photos. Before you train: make data-check DIR={folder}")
    deploy = "make deploy" if context.obj == environments.DEFAULT else f"make deploy ENV={context.obj}"
    if target and f"{summary.target}/" != data_uri(context.obj):
        deploy += f" ARGS='-c training.data_uri={summary.target}/'"
    typer.echo(f"Train and serve: {deploy}")


@data_app.command()
def version(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="S3_URI", help="The folder of the photos. Default: where the environment trains from."),
    ] = "",
    cdk_options: Annotated[
        bool, typer.Option("--cdk-options", help="Print digest, environment, account and region as options for cdk.")
    ] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Print the digest of the photos in the bucket, or nothing if there are none. A new digest starts a training.

    Example: [bold]cdk deploy --all $(kennel data version --cdk-options)[/bold]
    """
    import ops.session
    from ops.data.aws_errors import explained
    from ops.data.version import data_version

    digest = data_version(target, environment=context.obj)
    if not cdk_options:
        typer.echo(digest)
        return
    with explained("the look-up of the account number", needs="sts:GetCallerIdentity"):
        options = ops.session.cdk_options(context.obj)
    typer.echo(" ".join([*(["-c", f"training.data_version={digest}"] if digest else []), *options]))


@app.command()
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
    typer.echo(f"The report: {page}")
    if show and not webbrowser.open(page.resolve().as_uri()):
        typer.echo("No browser could be started. Open the page yourself.", err=True)


def main() -> None:
    """Entry point. Errors that the user can correct are printed as one sentence, without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a photo's name may contain bytes that are not UTF-8
    try:
        app()
    except SystemExit as end:
        if end.code == 128 + signal.SIGINT:
            print(
                "\nInterrupted. No process is left. The same command continues where this one stopped.", file=sys.stderr
            )
        raise
    except ModuleNotFoundError as error:
        sentence = missing_package(error, sys.argv)
        if not sentence:
            raise
        print(f"kennel: {sentence}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if not _is_sentence(error):
            raise
        print(f"kennel: {error}", file=sys.stderr)
        sys.exit(1)


def _is_sentence(error: Exception) -> bool:
    """Whether the message is written for the user, or names the file that the system refused."""
    if isinstance(error, OSError) and error.filename is not None:
        return True
    return any(f"{kind.__module__}.{kind.__qualname__}" in SENTENCES for kind in type(error).__mro__)


def _end(number: int, _: FrameType | None) -> None:
    """Ctrl-C, SIGTERM and a closed terminal unwind the stack, so that every `with` block ends its processes.

    Raises SystemExit, because typer handles KeyboardInterrupt itself, before `main` can print a message.
    """
    sys.exit(128 + number)
