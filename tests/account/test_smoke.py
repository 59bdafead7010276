"""`make smoke` as a process, with the real CDK command line, against the stand-in account."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.smoke.report import CREATED, NOT_REACHED, UPDATED
from tests.account.account import Account
from tests.account.terminal import CTRL_D, NO, in_its_terminal, run_in_terminal
from tests.builders import write_artifact
from tests.packages import ROOT
from tests.patience import PATIENCE_S
from tests.rehearsal.container import serving

pytestmark = pytest.mark.slow  # each run synthesises three times and waits for the CDK command line's polls

ENDPOINT = "AWS::SageMaker::Endpoint"
THEIRS = "kennel-smokehouse-photos"
"""A bucket of somebody else, whose name begins like the environment's."""


@dataclass
class Run:
    """A smoke run that has ended."""

    account: Account
    status: int
    printed: str
    report: str

    @property
    def stacks(self) -> set[str]:
        return set(self.account.cloudformation.stacks)

    def section(self, title: str) -> str:
        return self.report.split(f"## {title}\n")[1].split("\n## ")[0].strip()


@dataclass
class Smoke:
    """Starts smoke runs in one account. `process` is the one that runs."""

    account: Account
    folder: Path
    process: subprocess.Popen[str] | None = None

    @property
    def variables(self) -> dict[str, str]:
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": programs, "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **self.account.variables}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ops.smoke", "--model", str(self.folder / "model"), *arguments]

    def run(self, *arguments: str) -> Run:
        self.process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed, _ = self.process.communicate(timeout=2 * PATIENCE_S)
        print(printed)
        report = self.folder / "build" / "smoke" / "report.md"
        return Run(self.account, self.process.returncode, printed, report.read_text() if report.exists() else "")


@pytest.fixture
def smoke(tmp_path: Path) -> Iterator[Smoke]:
    """An account after `make bootstrap`, with things of somebody else in it, and a model."""
    with ExitStack() as stack:
        container = stack.enter_context(serving())
        account = stack.enter_context(Account(container=container.url))
        smoke = Smoke(account, tmp_path)
        write_artifact(tmp_path / "model")
        (tmp_path / "app").mkdir()
        subprocess.run(
            [str(ROOT / "node_modules" / ".bin" / "cdk"), "bootstrap", "aws://123456789012/us-east-1"],
            cwd=tmp_path / "app",
            env=smoke.variables,
            check=True,
            capture_output=True,
        )
        account.client("s3").create_bucket(Bucket=THEIRS)
        yield smoke


def buckets(account: Account) -> list[str]:
    return [each["Name"] for each in account.client("s3").list_buckets()["Buckets"] if "cdk-" not in each["Name"]]


def during(smoke: Smoke, action: str, do: Callable[[], None]) -> None:
    smoke.account.resources.hooks[action, ENDPOINT] = do


def refuse(smoke: Smoke, action: str, reason: str, kind: str = ENDPOINT) -> None:
    smoke.account.resources.refused_actions[action, kind] = reason


def test_a_run_predicts_updates_and_leaves_nothing(smoke: Smoke) -> None:
    seen: list[str] = []
    during(smoke, "update", lambda: seen.append("updated"))

    run = smoke.run("--yes")

    assert run.status == 0
    assert run.stacks == {"CDKToolkit"}
    assert buckets(smoke.account) == [THEIRS]
    assert seen == ["updated"]
    assert smoke.account.calls.count("lambda:Invoke") == 2
    assert run.section("What AWS refused") == "Nothing."
    assert run.section("What is left").startswith("Nothing of this environment.")
    assert f"- {CREATED}: yes" in run.report
    assert f"- {UPDATED}: yes" in run.report


@pytest.mark.parametrize("answer", [NO, CTRL_D])
def test_the_minutes_and_the_price_are_said_before_the_one_question(smoke: Smoke, answer: str) -> None:
    ended = run_in_terminal(shlex.join(smoke.command()), cwd=smoke.folder, env=smoke.variables, answer=answer)

    assert ended.questions == 1
    assert re.search(
        r"It takes about \d\d minutes and costs at most 0\.\d\d US dollars .*Go on\?", ended.output, re.DOTALL
    )
    assert "Nothing was deployed." in ended.output
    assert ended.status == 1
    assert set(smoke.account.cloudformation.stacks) == {"CDKToolkit"}


def test_without_a_terminal_it_says_how_to_go_on_without_a_question(smoke: Smoke) -> None:
    run = smoke.run()
    assert run.status == 1
    assert "There is no terminal to ask the question in. Run `make smoke YES=1`." in run.printed
    assert run.stacks == {"CDKToolkit"}


def test_an_update_that_aws_refuses_is_reported_and_everything_is_destroyed(smoke: Smoke) -> None:
    refuse(smoke, "update", "Retained properties are not accepted in this partition")

    run = smoke.run("--yes")

    assert run.status == 1
    assert f"{ENDPOINT} (Endpoint)" in run.section("What AWS refused")
    assert "AWS says: Retained properties are not accepted in this partition" in run.section("What AWS refused")
    assert f"- {UPDATED}: {NOT_REACHED}" in run.report
    assert run.stacks == {"CDKToolkit"}
    assert buckets(smoke.account) == [THEIRS]


def test_an_update_that_sagemaker_rolls_back_in_silence_is_no_success(
    smoke: Smoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(smoke.account.resources), "_update_sagemaker_endpoint", lambda *_: None)

    run = smoke.run("--yes")

    assert run.status == 1
    assert "- update: failed: The endpoint still has the configuration" in run.section("Steps")
    assert run.stacks == {"CDKToolkit"}


def test_a_creation_with_retained_properties_that_aws_refuses_is_tried_without_them(smoke: Smoke) -> None:
    reason = "RetainAllVariantProperties is not allowed at creation"
    refuse(smoke, "create", reason)
    resources = smoke.account.resources
    act = resources.act

    def only_with_them(action: str, resource: Any, properties: dict[str, Any]) -> None:
        if resource.type == ENDPOINT and "RetainAllVariantProperties" not in properties:
            resources.refused_actions.clear()
        act(action, resource, properties)

    resources.act = only_with_them  # type: ignore[method-assign]

    run = smoke.run("--yes")

    assert run.status == 1, "AWS refused something, so the run says so"
    assert f"AWS says: {reason}" in run.section("What AWS refused")
    assert f"- {CREATED}: no, AWS refuses them (see above)" in run.report
    assert f"- {UPDATED}: yes" in run.report
    assert "- predict again: done" in run.section("Steps")
    assert run.stacks == {"CDKToolkit"}


def test_ctrl_c_during_the_update_destroys_everything(smoke: Smoke) -> None:
    def interrupt() -> None:
        assert smoke.process is not None
        smoke.process.send_signal(signal.SIGINT)
        serving = smoke.account.cloudformation.stacks["kennel-smoke-serving"]
        assert serving.cancelled.wait(PATIENCE_S), "the update was not cancelled"
        raise RuntimeError("Resource update cancelled")

    during(smoke, "update", interrupt)

    run = smoke.run("--yes")

    assert run.status == 1
    assert "It was interrupted." in run.report
    assert "- update: interrupted" in run.section("Steps")
    assert run.stacks == {"CDKToolkit"}
    assert buckets(smoke.account) == [THEIRS]


def test_a_closed_terminal_during_the_update_destroys_everything(smoke: Smoke) -> None:
    screen, keyboard = pty.openpty()

    def close() -> None:
        os.close(screen)
        serving = smoke.account.cloudformation.stacks["kennel-smoke-serving"]
        assert serving.cancelled.wait(PATIENCE_S), "the update was not cancelled"
        assert smoke.process is not None
        for _ in range(3):  # a shell and the kernel send one each
            smoke.process.send_signal(signal.SIGHUP)
        raise RuntimeError("Resource update cancelled")

    during(smoke, "update", close)
    smoke.process = process = subprocess.Popen(
        smoke.command("--yes"), cwd=smoke.folder, env=smoke.variables, stdin=keyboard, stdout=keyboard, stderr=keyboard,
        text=True, start_new_session=True, preexec_fn=in_its_terminal,
    )  # fmt: skip
    os.close(keyboard)
    process.wait(2 * PATIENCE_S)

    assert set(smoke.account.cloudformation.stacks) == {"CDKToolkit"}
    assert buckets(smoke.account) == [THEIRS]
    report = (smoke.folder / "build" / "smoke" / "report.md").read_text()
    assert "- destroy: done" in report
    assert "It was interrupted." in report


def test_what_a_destroy_leaves_is_named_and_cleaned_up_later(smoke: Smoke) -> None:
    refuse(smoke, "delete", "Cannot delete the endpoint now")

    run = smoke.run("--yes")

    assert run.status == 1
    assert "Cannot delete the endpoint now" in run.section("What AWS refused")
    assert "endpoint kennel-smoke-classifier (bills)" in run.section("What is left")
    assert "aws sagemaker delete-endpoint --endpoint-name kennel-smoke-classifier" in run.section("What is left")
    assert "make smoke ARGS=--clean-up" in run.printed

    again = smoke.run("--yes")
    assert again.status == 1
    assert "an earlier one has left them" in again.printed
    assert "Cannot delete the endpoint now" in (smoke.folder / "build" / "smoke" / "report.md").read_text()

    smoke.account.resources.refused_actions.clear()
    cleaned = smoke.run("--clean-up")
    assert cleaned.status == 0
    assert cleaned.stacks == {"CDKToolkit"}
