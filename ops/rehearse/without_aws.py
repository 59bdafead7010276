"""The rehearsal for a machine without the local AWS: the programs of the training hosts, of the container and of the
function, one after the other. It leaves out what a deploy adds: templates, permissions, queues, alarms, scaling."""

import gzip
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from contract.text import printable
from environments.environment import DESIGNED_ENDPOINT
from ops.rehearse.answers import ask, check_accuracy, show
from ops.rehearse.photos import photos, spread
from ops.rehearse.plan import Plan
from ops.rehearse.training_result import print_training_result
from ops.rehearse.weights import KEPT, with_weights
from ops.views.contact_sheet import Answer
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
from stacks.training.source_files import pack
from training.data.dataset import DataSet
from training.report import PAGE

REPOSITORY = Path(__file__).resolve().parents[2]
HOSTS = 2


def rehearse(plan: Plan, console: Console) -> list[Answer]:
    """Run the plan and return the predictions.

    Raises DataError, SampleFolderError, WeightsError, NamespacesRefusedError, TrainingJobFailedError,
    ProcessFailedError, FunctionError or RehearsalError, each with a message for the operator. No process is left
    running in any case.
    """
    steps = Steps(console, total=5)
    with steps.step("Draw cartoon dogs" if plan.data is None else "Read the photos") as report:
        data = photos(plan, report)
        plan = with_weights(plan, report)
    with ExitStack() as joined, steps.step(f"Train ResNet50 on {HOSTS} hosts within this machine") as report:
        network, which = _network(plan, joined)
        job, lines = _train(plan, data, network, report)
    console.print(f"     {escape(printable(which))}")
    model_dir = job.model_dir
    print_training_result(lines, console)

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
            answers = ask(function.invoke, data, spread(data.used("test"), plan.most_photos), report)

    show(answers, plan, console, report=job.hosts[0].output_data / "report" / PAGE, model=job.model_dir)
    check_accuracy(answers, plan)
    return answers


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
        channels["pretrained"] = pretrained_channel(plan.weights, plan.folder / KEPT)
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
