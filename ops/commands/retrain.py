"""`kennel retrain`: the deploy's own training job, outside a deploy."""

import json
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.text import printable
from ops.commands.exit_codes import NEEDS_ATTENTION, NOTHING_DEPLOYED
from ops.commands.options import Env, number
from ops.echo import echo

if TYPE_CHECKING:
    from ops.retrain.changes import Changes
    from ops.retrain.trainings import Plan, Trainings
    from stacks.training.handler.request import JobRequest

DEFAULT_LONGEST_H = 6.0
MOST_H = 120
"""SageMaker's default quota for the longest run of a training job is five days."""


def retrain(
    context: typer.Context,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another value of an option of the training, such as epochs=40 or mode=full; checked as the setting "
            "training.NAME is. May be repeated.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="s3://BUCKET/PREFIX/",
            help="Photos in a folder below the deploy's, the one of train/. Default: the deploy's, as they are now.",
        ),
    ] = None,
    instances: Annotated[int | None, number("How many instances train.", least=1, metavar="N")] = None,
    longest_h: Annotated[
        float, number("Hours after which SageMaker ends the job.", least=1, most=MOST_H, metavar="HOURS")
    ] = DEFAULT_LONGEST_H,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request and the price, and start nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: for CI.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and the progress on stderr.")
    ] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Train again with the deployed code, outside a deploy and its limit of one hour.

    The job is the one that the deployed Training stack would start, except for the options below. It is followed to its
    end and registered as a version of the model, as in a deploy. The endpoint is not changed. A job with the same
    inputs that runs or has ended is used, so the same command follows it again after Ctrl-C, which does not stop it.

    Exit status 0 if the version is registered; 1 if no job was started, or if AWS could not be asked; 3 if the training
    failed, or if the model is too inaccurate to be served; 4 if no Training stack is deployed; 130 after Ctrl-C.

    Example: [bold]kennel retrain --set epochs=200 --set mode=full --longest-h 12[/bold]

    Example: [bold]kennel retrain --set seed=1 --dry-run[/bold]
    """
    from ops.operate.account import Account, asking
    from ops.operate.deployed import Deployed
    from ops.retrain.changes import Changes
    from ops.retrain.deployed_request import deployed_request
    from ops.retrain.price import in_words, price
    from ops.retrain.trainings import Trainings

    changes = Changes.of(given=settings or [], data=data, instances=instances, longest_h=longest_h)
    account = Account.of(context.obj)
    with asking("the calls that describe the stacks", needs="cloudformation:DescribeStacks"):
        deployed = Deployed.of(account)
    if "training" not in deployed.stacks:
        echo(
            f"There is no stack {account.environment.stack('training')} in account {account.number}, {account.region}. "
            "Deploy it first (make deploy), or name another environment (kennel --env NAME).",
            err=True,
        )
        raise typer.Exit(NOTHING_DEPLOYED)
    before = deployed_request(account, deployed)
    changes = changes.checked(account.environment, before)
    request = changes.applied(before)
    trainings = Trainings.of(account)
    plan = trainings.plan(request)
    cost = price(account.region, plan.arguments, plan.fallbacks)
    if dry_run:
        if as_json:
            found = {"job": plan.job, "status": plan.status or None, "request": plan.arguments}
            figures = {"usd_hour": cost.usd_hour, "longest_usd": cost.longest_usd, "longest_h": cost.longest_h}
            echo(json.dumps({**found, "price": figures}, indent=2))
            return
        echo(json.dumps(plan.arguments, indent=2))
        echo(_about(plan, in_words(cost)))
        return
    if plan.starts:
        _confirm(plan, in_words(cost), yes=yes, err=as_json)
    else:
        echo(_about(plan, ""), err=as_json)
    job = _trained(trainings, request, plan, account.option, err=as_json)
    version = _registered(trainings, request, job)
    result = _result(job, version, changes, account.environment.file, account.option)
    if as_json:
        echo(json.dumps(result, indent=2))
    else:
        _print_result(result)


def _about(plan: "Plan", cost: str) -> str:
    kind = plan.arguments["ResourceConfig"]
    if plan.starts:
        return f"This starts the job {plan.job} on {kind['InstanceCount']} x {kind['InstanceType']}. {cost}"
    same = "the same code, options, instances and photos"
    if plan.status == "Completed":
        return (
            f"The job {plan.job} has {same} and is Completed, so nothing is started. For another training change "
            "an option, such as --set seed=1."
        )
    return f"The job {plan.job} has {same} and is {plan.status}, so no other is started. Waiting for its end."


def _confirm(plan: "Plan", cost: str, *, yes: bool, err: bool) -> None:
    from ops.question import answered_yes
    from ops.retrain.errors import RetrainError
    from ops.retrain.sdk import check_installed

    check_installed()
    echo(_about(plan, cost), err=err)
    if yes:
        return
    if not sys.stdin.isatty():
        raise RetrainError("There is no terminal to ask in, so nothing was started. Ask nothing: --yes")
    if not answered_yes("Start it? [y/N] ", err=err):
        raise RetrainError("Nothing was started.")


def _trained(trainings: "Trainings", request: "JobRequest", plan: "Plan", option: str, *, err: bool) -> dict[str, Any]:
    """The job at its end, started if need be. Ends the command if it fails, or at Ctrl-C."""
    from ops.operate.account import AccountError
    from ops.views.steps import Steps, terminal
    from ops.views.training_log import TrainingLines
    from stacks.training.handler.aws_errors import TrainingError

    steps = Steps(terminal(stderr=err), total=2 if plan.starts else 1)
    first, exists = plan.first, not plan.starts
    try:
        if plan.starts:
            with steps.step("Start the job by the SageMaker Python SDK") as report:
                first = trainings.start(request)
                exists = True
                report(1, 1, first)
        with steps.step(f"Train: {first}", time_left=True) as report:
            lines = TrainingLines(report, losses=True)
            return trainings.follow(request, first, lines, lambda text: echo(text, err=True))
    except TrainingError as error:
        echo(f"kennel: {printable(str(error))}", err=True)
        echo(f"Its last lines: kennel{option} logs training", err=True)
        raise typer.Exit(NEEDS_ATTENTION) from error
    except AccountError as error:
        if not exists:
            raise
        raise AccountError(f"{error} {_left(trainings, request, first, option, exists=True)}") from error
    except SystemExit as end:
        if end.code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            echo(f"\n{_left(trainings, request, first, option, exists=exists)}", err=True)
        raise


def _left(trainings: "Trainings", request: "JobRequest", first: str, option: str, *, exists: bool) -> str:
    """What the end of the command leaves. exists: whether AWS has said that the attempt has a job."""
    from ops.operate.account import AccountError

    try:
        job = trainings.newest(request, first)
    except (AccountError, SystemExit):  # no answer, or a second Ctrl-C: the sentence is printed all the same
        job = first if exists else ""
    stop = f"aws sagemaker stop-training-job --region {trainings.account.region} --training-job-name {job or first}"
    if not job:
        return (
            f"AWS does not show the job {first} now. If the request was already sent, the job starts within a minute, "
            f"and is billed: the same command with --dry-run says whether it exists. To stop it: {stop}"
        )
    return (
        f"The job {job} goes on, and is billed until its end. To follow it, run the same command again; its log is "
        f"in kennel{option} logs training -f. To stop it: {stop}"
    )


def _registered(trainings: "Trainings", request: "JobRequest", job: dict[str, Any]) -> int:
    from ops.operate.account import AccountError
    from stacks.training.handler.aws_errors import TrainingError

    try:
        return trainings.register(request, job)
    except AccountError as error:
        name = job["TrainingJobName"]
        raise AccountError(
            f"{error} The job {name} is Completed, but may not be registered. Run the same command again: it "
            "registers it, and trains nothing."
        ) from error
    except TrainingError as error:
        echo(f"kennel: {printable(str(error))}", err=True)
        raise typer.Exit(NEEDS_ATTENTION) from error


def _result(job: dict[str, Any], version: int, changes: "Changes", file: str, option: str) -> dict[str, Any]:
    from stacks.training.handler.description import accuracy, metrics

    return {
        "job": job["TrainingJobName"],
        "version": version,
        "accuracy": accuracy(job),
        "metrics": metrics(job),
        "model_data": job["ModelArtifacts"]["S3ModelArtifacts"],
        "billed_s": job.get("BillableTimeInSeconds"),
        "to_serve_it": f"kennel{option} rollback {version}",
        "to_deploy_it": {"file": file, "settings": changes.settings()},
    }


def _print_result(result: dict[str, Any]) -> None:
    measured = "was not measured" if result["accuracy"] is None else f"is {result['accuracy']:.4f}"
    echo(
        f"Version {result['version']} of the model is registered (the job {result['job']}). Its accuracy on the test "
        f"photos {measured}. To serve it now: {result['to_serve_it']}"
    )
    if result["to_deploy_it"]["settings"]:
        lines = "\n".join(f"  {name} = {value}" for name, value in result["to_deploy_it"]["settings"].items())
        echo(
            "A deploy has the settings of its file, so it uses its own job. To deploy this one, write in "
            f"{result['to_deploy_it']['file']}\n  [settings.training]\n{lines}\n"
            "With the same code and photos, that deploy finds the job and trains nothing."
        )
    else:
        echo("A deploy with the same code, settings and photos finds this job and trains nothing: make deploy")
