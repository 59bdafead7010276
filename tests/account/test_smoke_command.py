"""`make smoke`: what it runs, and what it refuses before it asks AWS anything."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import environments
from ops.smoke.__main__ import QuestionError, _check_life, _say
from ops.smoke.interruption import SIGNALS, InterruptedRunError, Interruption
from ops.smoke.report import Report
from ops.smoke.run import SmokeRun, StepFailedError
from ops.smoke.stacks import Stacks
from tests.account.account import Account
from tests.builders import write_artifact
from tests.packages import ROOT, groups_of, planned
from tests.patience import PATIENCE_S


@pytest.mark.parametrize(
    ("line", "asks"), [("make smoke", True), ("make smoke YES=1", False), ("make smoke YES=0", True)]
)
def test_yes_on_makes_command_line_leaves_the_question_out(line: str, asks: bool) -> None:
    assert ("--yes" not in planned(line)) == asks


def test_make_installs_what_reads_the_artifact_and_runs_cdk() -> None:
    assert "rehearse" in groups_of(planned("make smoke"))
    assert "npm ci" in planned("make smoke")


def started(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with Account() as account:
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **account.variables}
        ended = subprocess.run(
            [sys.executable, "-m", "ops.smoke", *arguments],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert account.calls == []
    return ended


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    ended = started(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == (
        "kennel: There is no model in build/rehearsal/job/model. Run `make rehearse`, which makes one, or name the "
        "folder of another one: --model FOLDER.\n"
    )


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    (write_artifact(tmp_path / "model") / "manifest.json").write_text("{")
    ended = started(tmp_path, "--model", "model")
    assert ended.returncode == 1
    assert ended.stderr.startswith("kennel: ")
    assert "Traceback" not in ended.stderr


def test_a_closed_terminal_does_not_end_what_destroys_the_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    closed = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", closed)

    _say("destroy ...")

    with pytest.raises(BrokenPipeError):
        closed.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is said about signals. Afterwards they do what they did before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield []
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_ends_the_deploy_and_no_later_hang_up_ends_the_destroy(
    number: signal.Signals, said: list[str]
) -> None:
    Interruption(said.append)
    with pytest.raises(InterruptedRunError):
        signal.raise_signal(number)
    for _ in range(3):
        signal.raise_signal(signal.SIGHUP)
    assert said == []


def test_the_second_ctrl_c_is_answered_and_the_third_ends_the_destroy(said: list[str]) -> None:
    Interruption(said.append).expect_destroy()
    signal.raise_signal(signal.SIGINT)
    assert "Ctrl-C again leaves them as they are" in said[0]
    with pytest.raises(InterruptedRunError):
        signal.raise_signal(signal.SIGINT)


def test_a_run_under_nohup_ignores_the_closed_terminal(said: list[str]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Interruption(said.append)
    signal.raise_signal(signal.SIGHUP)


class Commands:
    """The CDK command line of a run: keeps its calls, and fails where the test says so."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "cdk.log"
        self.log.write_text("CDK's own words\n")
        self.failing: set[str] = set()
        self.calls: list[tuple[str, Path]] = []

    def synth(self, output: Path, _: list[str]) -> Path | None:
        return self._called("synth", output)

    def deploy(self, name: str, templates: Path, _: list[str]) -> Path | None:
        return self._called(name, templates)

    def destroy(self, templates: Path) -> Path | None:
        return self._called("destroy", templates)

    def _called(self, name: str, templates: Path) -> Path | None:
        self.calls.append((name, templates))
        return self.log if name in self.failing else None


@dataclass
class Started:
    """A run in an empty account, and what it has called and reported."""

    run: SmokeRun
    commands: Commands
    report: Report


@pytest.fixture
def started_run(tmp_path: Path) -> Iterator[Started]:
    with Account() as account:
        report = Report(account="123456789012", region="us-east-1")
        run = SmokeRun(
            environment=environments.load("smoke"),
            client=account.client,
            folder=tmp_path,
            report=report,
            say=lambda _: None,
        )
        commands = Commands(tmp_path)
        run._cdk = commands  # type: ignore[assignment]
        yield Started(run, commands, report)


def test_a_destroy_is_tried_if_aws_does_not_tell_the_stacks_states(
    started_run: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Stacks) -> None:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "DescribeStacks")

    monkeypatch.setattr(Stacks, "settle", refuse)
    started_run.run.destroy()
    assert [name for name, _ in started_run.commands.calls] == ["destroy"]
    assert started_run.report.steps == [("destroy", "done")]


def test_a_destroy_uses_the_templates_of_the_last_synthesis_that_ended(started_run: Started) -> None:
    started_run.run.synth()
    started_run.commands.failing = {"synth"}
    with pytest.raises(StepFailedError):
        started_run.run.synth()
    started_run.run.destroy()
    (_, complete), (_, incomplete), (last, used) = started_run.commands.calls
    assert (last, used) == ("destroy", complete)
    assert complete != incomplete


def test_a_stack_without_the_expected_output_is_a_failed_step_and_no_traceback(started_run: Started) -> None:
    started_run.run.deploy_and_update(b"")
    assert [name for name, _ in started_run.report.steps] == ["deploy the bucket", "deploy"]
    assert started_run.report.steps[-1][1].startswith("failed: ")
    assert "kennel-smoke-storage" in started_run.report.steps[-1][1]


@pytest.mark.parametrize(("given", "refused"), [(50, True), (90, False)])
def test_credentials_that_end_before_the_destroy_are_refused(
    given: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", (datetime.now(UTC) + timedelta(minutes=given)).isoformat())

    with pytest.raises(QuestionError, match="could then not destroy") if refused else nullcontext():
        _check_life(boto3.Session(region_name="us-east-1"), 64)


class Recorded:
    """CloudFormation's answers, in the form of boto3's paginators."""

    def __init__(self, **pages: list[dict[str, Any]]) -> None:
        self._pages = pages

    def get_paginator(self, name: str) -> "Recorded":
        return Recorded(found=self._pages[name])

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return self._pages["found"]


def event(second: int, status: str, reason: str, **more: str) -> dict[str, Any]:
    return {
        "StackId": "arn:1",
        "StackName": "kennel-smoke-serving",
        "PhysicalResourceId": "x",
        "LogicalResourceId": "Endpoint",
        "ResourceType": "AWS::SageMaker::Endpoint",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC),
        **more,
    }


def refused(*events: dict[str, Any], name: str = "kennel-smoke-serving") -> list[str]:
    stacks = Recorded(
        list_stacks=[{"StackSummaries": [{"StackName": name, "StackId": "arn:1"}]}],
        describe_stack_events=[{"StackEvents": list(reversed(events))}],
    )
    since = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)
    return [each.reason for each in Stacks(stacks, "kennel-smoke").refused("deploy", since)]


def test_the_first_refusal_comes_first() -> None:
    assert refused(event(11, "CREATE_FAILED", "first"), event(12, "CREATE_FAILED", "second")) == ["first", "second"]


def test_what_cloudformation_gave_up_for_another_failure_is_no_refusal() -> None:
    assert refused(event(11, "CREATE_FAILED", "Resource creation cancelled")) == []


def test_a_refusal_of_an_earlier_step_is_not_repeated() -> None:
    assert refused(event(9, "CREATE_FAILED", "earlier")) == []


def test_the_failure_of_the_stack_itself_is_no_refusal_of_its_own() -> None:
    assert refused(event(11, "DELETE_FAILED", "see the resources", PhysicalResourceId="arn:1")) == []


def test_the_stacks_of_another_environment_are_not_read() -> None:
    assert refused(event(11, "CREATE_FAILED", "theirs"), name="kennel-smokehouse-serving") == []
