"""`make smoke`: what it runs, and what it refuses before it asks AWS anything."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.smoke.__main__ import _say
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
        "kennel: There is no model in build/rehearsal/job/model. Run `make rehearse`, which makes one, or name a "
        "training's model folder: make smoke ARGS='--model FOLDER'.\n"
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
