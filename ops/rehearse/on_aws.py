"""The rehearsal of a deployment: the real CDK command line and `kennel`'s own steps against a local AWS."""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

import environments
from ops.data.bucket import bucket_and_key, output_of
from ops.data.upload import Progress, upload
from ops.model.archive import unpacked
from ops.model.report import fetch_report
from ops.rehearse import account
from ops.rehearse.answers import ask, check_accuracy, show
from ops.rehearse.changes import Changes
from ops.rehearse.command_line import CommandLine
from ops.rehearse.finished_model import deploying
from ops.rehearse.inventory import inventory
from ops.rehearse.isolation import only
from ops.rehearse.keep import keep
from ops.rehearse.photos import photos, spread
from ops.rehearse.plan import Plan, named
from ops.rehearse.registry import publish_training_image
from ops.rehearse.resources import print_declared
from ops.rehearse.scaling import goal, rehearse_scaling
from ops.rehearse.stage import Stage
from ops.rehearse.training_result import print_training_result
from ops.rehearse.weights import send_weights, with_weights
from ops.smoke import artifact
from ops.views.contact_sheet import Answer
from ops.views.steps import Report, Steps
from ops.views.training_log import TrainingLines
from rehearsal.processes import ProcessGroup
from stacks.settings.parse import load

STEPS = 7
STEPS_WITH_MODEL = 6
"""Without the bucket and what is sent to it, and with the artifact."""
CHANGES = 4


def rehearse(plan: Plan, console: Console) -> list[Answer]:
    """Deploy the environment to a local AWS, and use it. Returns the predictions for the held-out photos.

    Raises EnvironmentRefusedError, SettingsError, ArtifactError, DataError, SampleFolderError, WeightsError,
    BucketError, ProcessFailedError and RehearsalError, each with a message for the operator. No process is left running
    in any case.
    """
    environment = environments.load(plan.environment)
    settings = load(environment, named(plan.chosen()))  # a wrong setting is refused at once
    if plan.load:
        goal(settings.serving.scaling)
    if plan.model:
        artifact.check(plan.model)
    steps = Steps(console, total=(STEPS_WITH_MODEL if plan.model else STEPS) + plan.load + CHANGES * plan.full)
    with steps.step("Draw cartoon dogs" if plan.data is None else "Read the photos") as report:
        data = photos(plan, report)
        plan = with_weights(plan, report)
    load(environment, plan.overrides())
    aws = account.local_aws(environment, plan.folder / "aws", hosts=plan.hosts)
    with ExitStack() as running:
        with steps.step("Start the local AWS") as report:
            running.enter_context(aws)
            running.enter_context(only(account.variables(aws, environment)))
            running.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
            tempfile.tempdir = None  # it keeps the folder that it has found; the variables name another one
            group = running.enter_context(ProcessGroup(plan.folder / "logs"))
            stage = Stage(
                plan=plan,
                environment=environment,
                data=data,
                aws=aws,
                cdk=CommandLine(environment, group),
                steps=steps,
                console=console,
            )
            report(1, 1, f"account {aws.settings.account}, {aws.settings.region}, {aws.url}")
        if plan.model:
            with steps.step("Upload the artifact to a bucket of its own, because nothing is trained"):
                stage.plan = deploying(plan, stage.client("s3"))
        _prepare(stage)
        changes = Changes(stage, inventory(stage.client)) if plan.full else None
        answers = _deploy(stage)
        if plan.load:
            rehearse_scaling(stage)
        if changes:
            changes.rehearse()
        if plan.keep:
            tag = load(environment, plan.overrides()).training.image_tag
            publish_training_image(stage.client("ecr"), aws.settings.region, tag)
            url = output_of("api", "PageUrl", environment=environment.name)
            keep(
                plan.folder,
                account.variables(aws, environment),
                stage.settings,
                console,
                trains=not plan.model,
                page=aws.http_api(url) if url else "",
                photos=stage.data.folder / "test",
            )
    return answers


def _prepare(stage: Stage) -> None:
    stage.inputs = stage.predicted_inputs()
    with stage.steps.step("cdk synth, cdk bootstrap"):
        stage.synthesise(stage.assembly)
        stage.cdk.bootstrap(stage.assembly)


def _deploy(stage: Stage) -> list[Answer]:
    """Deploy, train and predict."""
    plan, steps, console = stage.plan, stage.steps, stage.console
    if not plan.model:
        _store(stage)
    lines = TrainingLines(lambda *_: None)
    what = "cdk deploy --all: the training inside it, the endpoint, the function"
    if plan.model:
        what = "cdk deploy --all: the endpoint, the function"
    with steps.step(what) as report:
        lines.report = report
        stage.deploy("deploy", ["--all"], report, lines=None if plan.model else lines)
    stage.data.skipped.update(lines.skipped)
    if lines.final:
        print_training_result(lines, console)
    with steps.step("Predict held-out photos through the function's alias") as report:
        answers = ask(stage.function.invoke, stage.data, spread(stage.data.used("test"), plan.most_photos), report)
    page = None if plan.model else _download(stage)
    show(answers, plan, console, report=page, model=stage.model)
    print_declared(stage.client, stage.environment, console)
    check_accuracy(answers, plan)
    return answers


def _store(stage: Stage) -> None:
    """Make the bucket, and send what the training reads."""
    plan, steps = stage.plan, stage.steps
    with steps.step("cdk deploy Storage, with the alarms and the budget before it") as report:
        stage.deploy("deploy-storage", ["Storage"], report)
    what = "kennel data upload: the photos into the bucket"
    if plan.sends_weights:
        what = "kennel weights upload, kennel data upload: the weights and the photos into the bucket"
    with steps.step(what, in_bytes=True) as report:
        _upload(stage, report)


def _upload(stage: Stage, report: Report) -> None:
    """Send the photos, and write the templates again if the bucket has other inputs than those expected."""

    def progress(now: Progress) -> None:
        report(now.done_bytes, now.of_bytes, "")

    synthesis = None
    if stage.plan.sends_weights:  # their place in the bucket is in the templates, which are written meanwhile
        stage.inputs = stage.predicted_inputs(send_weights(stage.plan, report))
        synthesis = stage.start_synthesis(stage.assembly, "synth-with-weights")
    upload(stage.data.folder, environment=stage.environment.name, progress=progress)
    if synthesis:
        stage.cdk.finish(synthesis)
    found = stage.found_inputs()
    if found != stage.inputs:
        stage.inputs = found
        stage.synthesise(stage.assembly, "synth-again")


def _download(stage: Stage) -> Path:
    """Copy the artifact from the bucket to where other commands expect it. Returns the page of the training."""
    job, name = stage.model.parent, stage.environment.name
    bucket, key = bucket_and_key(output_of("training", "ModelData", environment=name))
    job.mkdir(parents=True, exist_ok=True)
    archive = job / "model.tar.gz"
    stage.client("s3").download_file(bucket, key, os.fspath(archive))
    shutil.rmtree(stage.model, ignore_errors=True)
    with unpacked(archive) as folder:
        shutil.copytree(folder, stage.model)
    return fetch_report("", job, environment=name)
