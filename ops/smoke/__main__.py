"""Try Kennel in a real account, for well under a dollar: deploy, predict, update, predict again, destroy, look.

    make smoke                         # one question, then about an hour
    make smoke YES=1                   # no question
    make smoke ARGS='--model FOLDER'   # another model than that of the last rehearsal
    make smoke ARGS=--clean-up         # delete what an earlier run has left, and look again

It uses the environment environments/smoke.toml, which shares no name with another one. Whatever happens, it destroys
what it has deployed. The report is build/smoke/report.md. Exit status 0: everything worked and nothing is left that
bills. docs/decisions/0087-smoke-run.md has the reasons.
"""

import argparse
import contextlib
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3

import environments
import ops.session
from contract.utf8_mode import start_in_utf8_mode
from environments import Environment, EnvironmentRefusedError
from inference.artifact import ArtifactError
from ops.cost import CostError
from ops.data.aws_errors import BucketError, explained
from ops.echo import echo, echo_error
from ops.preflight import identity, photos, table
from ops.preflight.run import preflight
from ops.question import answered_yes
from ops.smoke import artifact
from ops.smoke.interruption import InterruptedRunError, Interruption
from ops.smoke.price import Price, price
from ops.smoke.report import Report
from ops.smoke.run import SmokeRun, StepFailedError
from ops.smoke.stacks import Stacks
from ops.views.steps import terminal
from stacks.settings.parse import load

ENVIRONMENT = "smoke"
FOLDER = Path("build/smoke")
CLEAN_UP = Path("build/smoke-clean-up")
"""Another folder, so that the report and the logs of the run that left something stay."""
MODEL_DATA, MODEL_TO_COME = "training.model_data", "s3://bucket-to-come/model.tar.gz"
"""A setting with which nothing trains, before the bucket exists."""


class QuestionError(Exception):
    """The run has not begun. The message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make smoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--yes", action="store_true", help="ask no question (make smoke YES=1)")
    parser.add_argument(
        "--model", type=Path, default=artifact.DEFAULT, help=f"a training's model folder (default: {artifact.DEFAULT})"
    )
    parser.add_argument("--clean-up", action="store_true", help="only destroy what is left of an earlier run")
    options = parser.parse_args(arguments)
    try:
        return _run(options.model, yes=options.yes, clean_up=options.clean_up)
    except (
        ArtifactError,
        BucketError,
        CostError,
        EnvironmentRefusedError,
        QuestionError,
        StepFailedError,
    ) as error:
        echo_error(error)
        return 1
    except InterruptedRunError:
        echo("\nInterrupted before anything was deployed.", err=True)
        return 130


def _run(model: Path, *, yes: bool, clean_up: bool) -> int:
    interruption = Interruption(_say)
    environment = environments.load(ENVIRONMENT)
    if not clean_up:
        artifact.check(model)
    with explained("the look-up of the account number", needs="sts:GetCallerIdentity"):
        session = ops.session.session(ENVIRONMENT)
        report = Report(account=ops.session.account(session), region=session.region_name)

    def client(service: str) -> Any:
        return session.client(service)  # type: ignore[call-overload] # boto3's types want the service's name

    with explained("the list of the stacks", needs="cloudformation:DescribeStacks"):
        left = Stacks(client("cloudformation"), environment.prefix).states()
    if left and not clean_up:
        raise QuestionError(
            f"These stacks exist in {report.region}: {', '.join(sorted(left))}. Another smoke run may be using them, "
            "or an earlier one has left them. In that case delete them first: make smoke ARGS=--clean-up"
        )
    folder = CLEAN_UP if clean_up else FOLDER
    _empty(folder)
    run = SmokeRun(environment=environment, client=client, folder=folder.resolve(), report=report, say=_say)
    run.synth()
    content = b""
    if not clean_up:
        content = artifact.packed(model)
        _check_account(environment)
        cost = price(run.templates, report.region, load(environment, {MODEL_DATA: MODEL_TO_COME}))
        _check_life(session, cost.minutes)
        _ask(report, cost, yes=yes)
    try:
        if not clean_up:
            run.deploy_and_update(content)
    except InterruptedRunError:
        report.interrupted = True
        _say("\nInterrupted. Everything that was deployed is being destroyed; this takes minutes. Please wait.")
    finally:
        interruption.expect_destroy()
        _destroy(run, report, folder / "report.md")
    return 0 if report.passed else 1


def _destroy(run: SmokeRun, report: Report, file: Path) -> None:
    """Always, also after Ctrl-C. A second Ctrl-C is answered, a third one ends the program."""
    try:
        run.destroy()
    except InterruptedRunError:
        report.interrupted = True
        report.steps.append(("destroy", "interrupted"))
    _say("\n" + report.text())
    if not report.nothing_bills:
        _say("Something may still bill. Delete what is listed above, or try again: make smoke ARGS=--clean-up")
    report.write(file)
    _say(f"The report is {file}.")


def _check_account(environment: Environment) -> None:
    """Raises QuestionError if the deployment would fail."""
    found = preflight(environment.name, {MODEL_DATA: MODEL_TO_COME})
    # the subject of the photos includes the model, whose bucket the run has yet to create
    found = replace(found, findings=[each for each in found.findings if each.subject != photos.SUBJECT])
    if found.findings:
        table.print_report(found, terminal())
    if not found.passed:
        raise QuestionError("The deployment would fail. Close the gaps above, then run `make smoke` again.")


def _check_life(session: boto3.Session, minutes: int) -> None:
    """Raises QuestionError if the credentials end before the destroy: what is deployed would stay, and bill."""
    left = identity.life(session)
    if left is not None and left < timedelta(minutes=minutes):
        raise QuestionError(
            f"These credentials end in {max(0, left.total_seconds() / 60):.0f} minutes. The run takes about {minutes}, "
            f"and could then not destroy what it has deployed. {identity.RENEW}"
        )


def _ask(report: Report, cost: Price, *, yes: bool) -> None:
    """Say what the run costs and ask the one question. Raises QuestionError if the answer is no."""
    _say(
        f"This deploys the environment {ENVIRONMENT} to account {report.account} in {report.region}, predicts, updates "
        f"and destroys it. It takes about {cost.minutes} minutes and costs at most {cost.usd:.2f} US dollars "
        f"(prices of {cost.region}, {cost.table})."
    )
    if cost.without_price:
        _say(f"That is without what the price table does not have: {', '.join(cost.without_price)}.")
    if yes:
        return
    if not sys.stdin.isatty():
        raise QuestionError("There is no terminal to ask the question in. Run `make smoke YES=1`.")
    if not answered_yes("Go on? (y/n) "):
        raise QuestionError("Nothing was deployed.")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is closed, and the stacks must be destroyed all the same
        echo(text)


if __name__ == "__main__":
    start_in_utf8_mode()
    sys.exit(main())
