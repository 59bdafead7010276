"""`kennel data`: draw a sample, split, check and upload photos."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

import environments
from contract.text import printable
from ops.commands.options import Env, Seed, number, training_option
from ops.echo import echo

LinksTo = Annotated[
    Path | None,
    typer.Option("--links-to", metavar="DIR", help="A folder outside of the photos' that links in it may lead to."),
]

app = typer.Typer(no_args_is_help=True, help="Photos: draw a sample, split, check and upload yours.")

SHEET = Path("build/data-check.png")
"""The image that `data check` writes."""
CHECK_FILE = SHEET.with_suffix(".json")
"""The findings that `data check` writes and `data upload` reads."""


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, or an earlier sample.")],
    train: Annotated[int, number("Training photos for each breed.", least=0)] = 40,
    valid: Annotated[int, number("Validation photos for each breed.", least=0)] = 8,
    test: Annotated[int, number("Test photos for each breed.", least=0)] = 8,
    seed: Seed = 0,
) -> None:
    """Draw a small data set of cartoon dogs, DIR/{train,valid,test}/<breed>/*.jpg.

    Example: [bold]kennel data sample photos --train 100 --seed 7[/bold]
    """
    from ops.output_path import check_folder
    from ops.views.steps import Steps, terminal
    from sample_dogs.dataset import write_sample

    check_folder(folder)
    console = terminal()
    with Steps(console, total=1).step("Draw cartoon dogs") as report:
        counts = {"train": train, "valid": valid, "test": test}
        summary = write_sample(folder, counts=counts, seed=seed, progress=lambda done, all_: report(done, all_, ""))
    breeds = ", ".join(summary.breeds)
    echo(f"{summary.photos} photos of {len(summary.breeds)} breeds are in {printable(folder)}: {breeds}")


@app.command()
def split(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The photos as they were downloaded and unpacked.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder for the result.")],
    shares: Annotated[
        str, typer.Option(metavar="TRAIN/VALID/TEST", help="The share of each split; only their ratio counts.")
    ] = "80/10/10",
    seed: Annotated[int, training_option("seed", "The same seed and photos give the same split.")] = 0,
    link: Annotated[
        bool, typer.Option("--link", help="Hard links only; an error where they are not possible.")
    ] = False,
    symlink: Annotated[
        bool, typer.Option("--symlink", help="Symbolic links, such as to photos on another disk.")
    ] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copies, which take the space of the photos again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the table of breeds and splits; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the split as JSON, with every photo.")] = False,
) -> None:
    """Make DIR/{train,valid,test}/<breed>/ of photos in a public layout. The source is never changed.

    Layouts that are recognised, also inside other folders:
    - <breed>/, as in Stanford Dogs (Images/n02085620-Chihuahua/) and Tsinghua Dogs
    - Train/<breed>/ and Test/<breed>/ in any case, with or without valid, val, dev, eval
    - labels.csv (id,breed) with a folder of photos, as on Kaggle
    - <breed>_<number>.jpg in one folder, as in Oxford-IIIT Pet

    Splits of the source are kept, and missing ones are taken from its training photos.
    Photos that show the same are in one split. The result has hard links where the
    file system allows them, and copies elsewhere.

    Example: [bold]kennel data split Images dogImages --shares 70/15/15[/bold]
    """
    from ops.data.split import table
    from ops.data.split.plan import make_plan
    from ops.data.split.shares import parse
    from ops.data.split.write import How, check_target, write
    from ops.output_path import check_folder
    from ops.views.steps import Steps, terminal

    ways: dict[How, bool] = {"hard link": link, "symbolic link": symlink, "copy": copy}
    chosen = [way for way, is_chosen in ways.items() if is_chosen]
    if len(chosen) > 1:
        raise typer.BadParameter("Choose one of --link, --symlink and --copy.")
    wanted = parse(shares)
    check_target(folder, source)
    if not dry_run:
        check_folder(folder)
    console = terminal(stderr=as_json)
    steps = Steps(console, total=1 if dry_run else 2)
    with steps.step(f"Read and compare the photos in {source}") as report:
        plan = make_plan(source, shares=wanted, seed=seed, progress=lambda done, total: report(done, total, ""))
    if not as_json:
        table.print_plan(plan, console)
    if not dry_run:
        photos = {name: source.joinpath(*photo.parts) for name, photo in plan.targets.items()}
        with steps.step(f"Write {folder}") as report:
            made = write(
                folder, photos, how=next(iter(chosen), None), progress=lambda done, total: report(done, total, "")
            )
    if as_json:
        echo(table.as_json(plan, folder))
    elif dry_run:
        echo("Nothing was written (--dry-run).")
    else:
        kinds = " and ".join(f"{count} {how}s".replace("copys", "copies") for how, count in made.items())
        echo(f"{printable(folder)} has {len(photos)} photos ({kinds}).")
        outside = f" --links-to {printable(shlex.quote(str(source.resolve())))}" if symlink else ""
        echo(f"Next: kennel data check {printable(shlex.quote(str(folder)))}{outside}")


@app.command(name="check")
def check_photos(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="train/, valid/ and test/, each with a folder for each breed.")
    ],
    sheet: Annotated[
        Path,
        typer.Option(metavar="PNG", help="Image of the findings. A .json with the findings is written next to it."),
    ] = SHEET,
    links_to: LinksTo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, with every photo.")] = False,
) -> None:
    """Check every photo for faults that make a training worse: leaks between splits, broken and missing photos.

    Exit status 1 if there are errors. Example: [bold]kennel data check dogImages[/bold]
    """
    from ops.data import check_file, table
    from ops.data.check import check
    from ops.output_path import check_file as check_output
    from ops.views.data_sheet import breeds_shown, data_sheet
    from ops.views.steps import Steps, terminal

    if sheet.suffix == ".json":
        raise typer.BadParameter(f"{printable(sheet)} is the file for the findings. Name a PNG.", param_hint="--sheet")
    check_output(sheet, suffix=".png")
    console = terminal(stderr=as_json)
    with Steps(console, total=1).step(f"Check the photos in {folder}") as report:
        found = check(folder, links_to=links_to, progress=lambda done, total: report(done, total, ""))
    if as_json:
        echo(check_file.as_json(found))  # first, so that it is printed even if the files cannot be written
    data_sheet(found, sheet)
    check_file.write(found, sheet.with_suffix(".json"))
    if not as_json:
        table.print_check(found, console)
        shown = breeds_shown(found)
        echo(f"Image of the findings: {printable(sheet)}" + (f", of {shown}" if shown else ""))
        if sheet.with_suffix(".json") != CHECK_FILE:
            findings = printable(sheet.with_suffix(".json"))
            echo(f"The findings are in {findings}; `kennel data upload` reads {CHECK_FILE} alone.")
    if not found.passed:
        raise typer.Exit(1)


@app.command(name="upload")
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
    links_to: LinksTo = None,
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

        summary = upload(folder, target, environment=context.obj, links_to=links_to, progress=show)
    place = printable(folder)
    echo(f"{summary.uploaded} photos sent to {printable(summary.target)}, {summary.already_there} were already there.")
    echo(f"Digest of the photos in {place}: {summary.digest}; in the bucket: {summary.bucket_digest}")
    if summary.untracked:
        example = printable(summary.untracked[0])
        echo(
            f"{len(summary.untracked)} photos in the bucket are not in {place}, such as {example}. "
            "Training uses them too. Remove them with `aws s3 rm` if that is wrong.",
            err=True,
        )
    if not summary.is_comparable:
        echo(
            "The photos are the same, but the digests differ: S3's checksums in this bucket are not MD5s (a KMS key). "
            "Compare what `kennel data version` prints for it with itself only.",
            err=True,
        )
    match check_file.verdict(summary.digest, CHECK_FILE):
        case "errors":
            echo(f"`make data-check DIR={place}` found errors in these photos; correct them before you train.")
        case "not checked":
            echo(f"{CHECK_FILE} has no check of these photos. Before you train: make data-check DIR={place}")
    deploy = "make deploy" if context.obj == environments.DEFAULT else f"make deploy ENV={context.obj}"
    if target and f"{summary.target}/" != data_uri(context.obj):
        deploy += f" ARGS='-c training.data_uri={summary.target}/'"
    echo(f"Train and serve: {deploy}")


@app.command()
def version(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="S3_URI", help="The folder of the photos. Default: where the environment trains from."),
    ] = "",
    cdk_options: Annotated[
        bool,
        typer.Option(
            "--cdk-options",
            help="Print digest, newest weights in the bucket, environment, account and region as options for cdk.",
        ),
    ] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Print the digest of the photos in the bucket, or nothing if there are none. A new digest starts a training.

    Example: [bold]cdk deploy --all $(kennel data version --cdk-options)[/bold]
    """
    from ops.data.version import data_version
    from ops.deploy import inputs

    if cdk_options:
        echo(" ".join(inputs.cdk_options(context.obj, photos=target)))
    else:
        echo(data_version(target, environment=context.obj))
