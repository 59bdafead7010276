"""The whole path on one machine: photos, two training hosts, an endpoint, a Lambda function, predictions."""

import base64
import gzip
import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from environments.environment import DESIGNED_ENDPOINT
from ops.views.contact_sheet import Answer, contact_sheet
from ops.views.steps import Report, Steps
from ops.views.training_log import TrainingLines
from ops.weights.channel import pretrained_channel
from rehearsal.aws.lambda_runtime import COMPILED_CLIENT, LambdaRuntime
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime, in_service
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.network import Loopback, Network
from rehearsal.hosts.toolkit import Toolkit, run_toolkit_job
from rehearsal.hosts.training_job import TrainingJob, run_training_job
from rehearsal.processes import ProcessGroup, free_port
from sample_dogs.dataset import write_sample
from stacks.training.source_files import pack
from training.data.dataset import DataSet, Photo, scan
from training.report import PAGE

REPOSITORY = Path(__file__).resolve().parents[2]
EXPECTED_ACCURACY = 0.9
"""Expected accuracy on the drawn photos. A lower one means that a part of the path is broken."""
HOSTS = 2
TOP_K = 3
MOST_NAMED = 5
"""Limit of the truncated photos that are printed. The training report names them all."""

FROM_SCRATCH: dict[str, object] = {
    "mode": "full",
    "image-size": 64,
    "epochs": 15,
    "batch-size": 32,
    "learning-rate": 0.002,
    "weight-decay": 0.05,
    "label-smoothing": 0.05,
    "checkpoint-every": 5,
}
"""Hyperparameters without pretrained weights, for drawn photos, when nothing may be downloaded: every weight starts
random, and the images are small enough for two cores."""


class RehearsalError(Exception):
    """A rehearsal that ran to its end and found a fault. The message is for the operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The inputs of a rehearsal."""

    folder: Path
    """The folder for all output."""
    data: Path | None = None
    """The operator's own photos; None draws a sample."""
    pretrained: str | None = None
    """Weights to start from; None means none for drawn photos and ImageNet's, downloaded, for others."""
    epochs: int | None = None
    seed: int = 0
    hosts: Literal["auto", "namespaces", "loopback"] = "auto"
    """Kind of the training hosts: network namespaces, or processes over loopback. auto: namespaces if possible."""
    most_photos: int = 80
    """Held-out photos to send, at most, chosen evenly over the breeds."""

    @property
    def weights(self) -> str:
        """Weights to start from: a file, `imagenet` or `none`."""
        return self.pretrained or ("none" if self.data is None else "imagenet")

    def hyperparameters(self) -> dict[str, object]:
        """The hyperparameters of the training job. As in a deploy, weights are no hyperparameter but a channel."""
        options = {**FROM_SCRATCH, "pretrained": "none"} if self.weights == "none" else {}
        epochs = {"epochs": self.epochs} if self.epochs else {}
        return {**options, **epochs, "seed": self.seed}


def rehearse(plan: Plan, console: Console) -> list[Answer]:
    """Run the plan and return the predictions.

    Raises DataError, SampleFolderError, WeightsError, NamespacesRefusedError, TrainingJobFailedError,
    ProcessFailedError, FunctionError or RehearsalError, each with a message for the operator. No process is left
    running in any case.
    """
    steps = Steps(console, total=5)
    with steps.step("Draw cartoon dogs" if plan.data is None else "Read the photos") as report:
        data = _photos(plan, report)
    with ExitStack() as joined, steps.step(f"Train ResNet50 on {HOSTS} hosts within this machine") as report:
        network, which = _network(plan, joined)
        job, lines = _train(plan, data, network, report)
    console.print(f"     {which}")
    model_dir = job.model_dir
    _print_training_result(lines, console)

    port = free_port()
    container = f"http://127.0.0.1:{port}"
    logs = plan.folder / "logs"
    with ExitStack() as running:
        with steps.step("Serve the artifact: the container's own server, polled until /ping returns 200"):
            group = running.enter_context(ProcessGroup(logs))
            command = [sys.executable, "-m", "inference.server", "--model-dir", str(model_dir), "--port", str(port)]
            group.start("endpoint", command, cwd=REPOSITORY)
            group.wait_until(lambda: in_service(container), what="the server to answer /ping with 200", timeout_s=60)
        with steps.step("Start the Lambda function under AWS's own runtime client"):
            sagemaker = running.enter_context(SageMakerRuntime({DESIGNED_ENDPOINT: container}))
            environment = {"ENDPOINT_NAME": DESIGNED_ENDPOINT, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": sagemaker.url}
            function = running.enter_context(
                LambdaRuntime("lambda_fn.handler.handler", task_root=REPOSITORY, env=environment, log_dir=logs)
            )
        if not COMPILED_CLIENT:
            console.print(
                f"     AWS publishes no compiled runtime client for {sys.platform}: its calls are made in Python."
            )
        with steps.step("Send held-out photos through Lambda, SageMaker Runtime and the server") as report:
            answers = _send(function, data, _spread(data.used("test"), plan.most_photos), report)

    sheet = plan.folder / "answers.png"
    contact_sheet(answers, sheet, title="Kennel rehearsal: held-out photos and their breeds")
    _print_answers(answers, console)
    _print_summary(answers, sheet, job, console)
    accuracy = _accuracy(answers)
    if plan.data is None and plan.epochs is None and accuracy < EXPECTED_ACCURACY:
        raise RehearsalError(
            f"The accuracy on the drawn photos is {accuracy:.2f}, but at least {EXPECTED_ACCURACY} is expected. "
            f"Read the logs in {plan.folder}."
        )
    return answers


def _photos(plan: Plan, report: Report) -> DataSet:
    folder = plan.data or plan.folder / "photos"
    if plan.data is None:
        summary = write_sample(folder, seed=plan.seed, progress=lambda done, total: report(done, total, ""))
        drawn = "are kept from before" if summary.reused else "are"
        report(1, 1, f"{summary.photos} photos of {len(summary.breeds)} breeds {drawn} in {folder}")
    data = scan(folder)
    if plan.data is not None:
        report(1, 1, f"{sum(map(len, data.splits.values()))} photos of {len(data.labels)} breeds are in {folder}")
    return data


def _network(plan: Plan, joined: ExitStack) -> tuple[Network, str]:
    """The network of the hosts, already set up, and a sentence that describes it."""
    if plan.hosts == "loopback":
        return Loopback(), "The hosts were two processes over loopback."
    try:
        network = joined.enter_context(Namespaces(plan.folder / "network"))
    except NamespacesRefusedError as error:
        if plan.hosts == "namespaces":
            raise
        return Loopback(), str(error)
    by = (
        "AWS's own training toolkit"
        if Toolkit.find()
        else "python; after `make toolkit`, AWS's own toolkit starts them"
    )
    return network, f"The hosts were algo-1 and algo-2, in network namespaces, started by {by}."


def _train(plan: Plan, data: DataSet, network: Network, report: Report) -> tuple[TrainingJob, TrainingLines]:
    lines = TrainingLines(report)
    channels = {"data": data.folder}
    if plan.weights != "none":
        channels["pretrained"] = pretrained_channel(
            plan.weights,
            plan.folder / "weights",
            lambda done, total: report(done, total, "downloading ImageNet's weights"),
        )
    job = _job(plan, channels, network, lines)
    for host in job.hosts:  # an interrupted job resumes from them, but a finished one must train again
        shutil.rmtree(host.checkpoints, ignore_errors=True)
    data.skipped.update(lines.skipped)
    return job, lines


def _job(plan: Plan, channels: Mapping[str, Path], network: Network, lines: TrainingLines) -> TrainingJob:
    job_dir = plan.folder / "job"
    toolkit = Toolkit.find() if isinstance(network, Namespaces) else None
    if toolkit is None:
        return run_training_job(
            [sys.executable, str(REPOSITORY / "training" / "train.py")],
            job_dir=job_dir,
            hosts=HOSTS,
            channels=channels,
            hyperparameters=plan.hyperparameters(),
            on_line=lines,
            network=network,
        )
    source = plan.folder / "source.tar.gz"
    source.write_bytes(gzip.compress(pack(REPOSITORY), mtime=0))
    return run_toolkit_job(
        "training/train.py",
        toolkit=toolkit,
        source=source,
        job_dir=job_dir,
        hosts=HOSTS,
        channels=channels,
        hyperparameters=plan.hyperparameters(),
        on_line=lines,
        network=network,
    )


def _send(function: LambdaRuntime, data: DataSet, photos: Sequence[Photo], report: Report) -> list[Answer]:
    """Send one event for each photo, as a caller does. A refused photo has no predictions."""
    answers = []
    for done, photo in enumerate(photos, start=1):
        event = {"image": base64.b64encode(photo.path.read_bytes()).decode(), "top_k": TOP_K}
        started = time.perf_counter()
        response = function.invoke(event)
        milliseconds = (time.perf_counter() - started) * 1000
        body = json.loads(response["body"])
        if response["statusCode"] >= 500:
            raise RehearsalError(f"The function answered {response['statusCode']}: {body['error']['message']}")
        predictions = [(p["breed"], p["probability"]) for p in body.get("predictions", [])]
        answers.append(
            Answer(
                photo=photo.path,
                true_label=data.labels[photo.label],
                predictions=predictions,
                milliseconds=milliseconds,
            )
        )
        report(done, len(photos), "")
    return answers


def _spread(photos: Sequence[Photo], most: int) -> list[Photo]:
    """At most `most` photos, evenly spread over the breeds. The photos are sorted by breed."""
    step = max(1.0, len(photos) / most)
    return [photos[int(position * step)] for position in range(min(most, len(photos)))]


def _print_training_result(lines: TrainingLines, console: Console) -> None:
    final = lines.final
    trained, served = float(final["test_accuracy"]), float(final["served_test_accuracy"])
    console.print(
        f"     epoch {final['epoch']} kept; test accuracy {trained:.3f} in training, "
        f"{served:.3f} through the artifact ({final['precision']}, model {final['model']})"
    )
    off, before = (100 * float(final[name]) for name in ("test_ece", "test_ece_before"))
    console.print(f"     its probabilities are {off:.1f} points off on average; {before:.1f} without the temperature")
    for name, reason in lines.skipped.items():
        console.print(f"     [yellow]skipped[/yellow] {escape(name)}: {escape(reason)}")
    _print_truncated(lines.truncated, console)


def _print_truncated(truncated: Mapping[str, str], console: Console) -> None:
    if not truncated:
        return
    many = "1 training photo is" if len(truncated) == 1 else f"{len(truncated)} training photos are"
    console.print(f"     [yellow]{many} cut off[/yellow]:")
    for name, note in list(truncated.items())[:MOST_NAMED]:
        console.print(f"       {escape(name)}: {escape(note)}")
    if len(truncated) > MOST_NAMED:
        console.print(f"       and {len(truncated) - MOST_NAMED} more; the report of the training names them all")


def _print_answers(answers: Iterable[Answer], console: Console) -> None:
    table = Table(title="What the Lambda answered", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for heading in ("photo", "true breed", *("first", "second", "third")[:TOP_K]):
        table.add_column(heading, no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for answer in answers:
        shown = [Text(f"{probability:4.0%} {breed}") for breed, probability in answer.predictions]
        if shown:
            shown[0].stylize("green" if answer.is_right else "red")
        else:
            shown = [Text("refused", style="red")]
        shown += [Text("")] * (TOP_K - len(shown))
        name = answer.photo.name if isinstance(answer.photo, Path) else ""
        table.add_row(Text(name), Text(answer.true_label), *shown, f"{answer.milliseconds:.0f}")
    console.print()
    console.print(table)


def _print_summary(answers: Sequence[Answer], sheet: Path, job: TrainingJob, console: Console) -> None:
    right = sum(answer.is_right for answer in answers)
    median = statistics.median(answer.milliseconds for answer in answers)
    console.print(
        f"\n[bold]Accuracy {_accuracy(answers):.3f}[/bold]: {right} of {len(answers)} held-out photos; "
        f"median {median:.0f} ms from event to answer."
    )
    console.print(f"Pictures of the answers:  {escape(str(sheet))}")
    console.print(f"Report of the training:   {escape(str(job.hosts[0].output_data / 'report' / PAGE))}")
    console.print(f"The model artifact:       {escape(str(job.model_dir))}")
    console.print("Your own photos:          make rehearse ARGS='--data dogImages'")
    console.print("Review what AWS will get: make synth")


def _accuracy(answers: Sequence[Answer]) -> float:
    return sum(answer.is_right for answer in answers) / len(answers)
