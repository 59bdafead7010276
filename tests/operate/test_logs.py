"""`kennel logs`: which lines are printed, once each and in order, and how -f ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.operate.account import AccountError
from ops.operate.log_lines import OVERLAP_S, Follower, Line, follow
from ops.operate.log_sources import moment
from tests.operate.deployment import DRIFT_LOG, ENDPOINT_LOG, JOB, TRAINING_LOG, Deployment, event, flat, kennel
from tests.preflight.account import Account

LINE = Line(at=1000, source="endpoint", stream="s", message="m", id="1")


def test_the_log_of_the_newest_jobs_is_printed_with_its_hosts_and_without_other_environments(
    deployment: Deployment,
) -> None:
    deployment.log(TRAINING_LOG, f"{JOB}/algo-2-1790000000", "stage=decode")
    deployment.log(TRAINING_LOG, "kennel-production-1/algo-1-1790000000", "of production")
    result = kennel("logs", "training")

    assert [line.split("  ")[1:] for line in result.stdout.splitlines()] == [
        ["algo-1", "stage=start"],
        ["algo-1", "stage=end"],
        ["algo-2", "stage=decode"],
    ]
    assert result.exit_code == 0


def test_the_log_of_the_drift_checks_is_printed_with_their_days_and_without_other_jobs(
    deployment: Deployment,
) -> None:
    day = "kennel-development-drift-2026-11-27"
    deployment.drift_check("Completed")
    deployment.log(DRIFT_LOG, f"{day}/algo-1-1790000000", "of before", at=time.time() - 7200)
    deployment.log(DRIFT_LOG, f"{day}/algo-1-1790000000", "No drift")
    deployment.log(DRIFT_LOG, "kennel-production-drift-2026-11-27/algo-1-1790000000", "of production")
    deployment.log(DRIFT_LOG, "kennel-development-other/algo-1-1790000000", "of another job")
    result = kennel("logs", "drift")

    assert [line.split("  ")[1:] for line in result.stdout.splitlines()] == [["2026-11-27", "No drift"]]
    assert result.exit_code == 0


def test_if_no_log_is_named_the_log_of_drift_checks_is_read_only_where_they_run_daily(deployment: Deployment) -> None:
    deployment.log(DRIFT_LOG, "kennel-development-drift-2026-11-27/algo-1-1790000000", "No drift")
    off = {json.loads(line)["source"] for line in kennel("logs", "--json").stdout.splitlines()}
    deployment.drift_check("Completed")
    on = {json.loads(line)["source"] for line in kennel("logs", "--json").stdout.splitlines()}

    assert on - off == {"drift"}


def test_without_a_drift_check_there_is_no_log_and_the_setting_is_named(deployment: Deployment) -> None:
    deployment.account.answer("sagemaker.ListProcessingJobs", {"ProcessingJobSummaries": []})
    result = kennel("logs", "drift")

    assert "no drift check of kennel-development exists (monitoring.drift.daily)" in flat(result.stderr)
    assert result.exit_code == 4


def test_several_logs_are_one_in_the_order_of_time_as_json(deployment: Deployment) -> None:
    deployment.log(ENDPOINT_LOG, "AllTraffic/i-1", "newest", at=time.time() + 60)
    lines = [json.loads(line) for line in kennel("logs", "endpoint", "lambda", "--json").stdout.splitlines()]

    assert {line["source"] for line in lines} == {"endpoint", "lambda"}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert lines[-1]["message"] == "newest"
    assert lines[-1]["stream"] == "AllTraffic/i-1"


def test_the_events_of_a_deploy_are_printed_with_their_reasons(deployment: Deployment) -> None:
    failed = event("F", "AWS::Lambda::Function", "UPDATE_FAILED", "Too\nbig")
    deployment.failed("api", "UPDATE_ROLLBACK_COMPLETE", failed)
    *_, last = kennel("logs", "deploy").stdout.splitlines()

    assert last.endswith("  kennel-api  UPDATE_FAILED  AWS::Lambda::Function  F: Too big")


def test_lines_before_since_are_left_out_and_an_empty_log_says_so(deployment: Deployment) -> None:
    result = kennel("logs", "endpoint", "--since", "2099-01-01T00:00:00Z")

    assert result.stdout == ""
    assert "Nothing was written in that time." in result.stderr
    assert result.exit_code == 0


def test_nothing_deployed_is_a_sentence_and_exit_code_4(account: Account) -> None:
    account.answer("sagemaker.ListTrainingJobs", {"TrainingJobSummaries": []})
    result = kennel("logs", "lambda")

    assert "Nothing of the environment development is deployed in account 123456789012" in result.stderr
    assert result.exit_code == 4


def test_a_control_character_of_a_log_does_not_reach_the_terminal(deployment: Deployment) -> None:
    deployment.log(ENDPOINT_LOG, "AllTraffic/i-1", "\x1b[31mred\nsecond")
    printed = kennel("logs", "endpoint").stdout

    assert "\\x1b[31mred\n  second" in printed


@pytest.mark.parametrize("words", [["logs", "disk"], ["logs", "--since", "yesterday"]], ids=" ".join)
def test_a_wrong_word_is_exit_code_2(words: list[str]) -> None:
    result = kennel(*words)

    assert result.exit_code == 2
    assert "training, endpoint, lambda, drift, deploy" in result.stderr or "is no time" in result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 970), ("2m", 880), ("1970-01-01T00:01:00Z", 60), ("1970-01-01T00:01", 60)]
)
def test_moments(text: str, seconds: float) -> None:
    assert moment(text, now=1000) == seconds  # exact: whole seconds


class Log:
    """A source whose lines appear late, as those of CloudWatch Logs."""

    name = "endpoint"

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.error: AccountError | None = None

    def read(self, since: float) -> list[Line]:
        if self.error:
            raise self.error
        return [line for line in self.lines if line.at >= since]


def ids(lines: list[Line]) -> list[str]:
    return [line.id for line in lines]


def test_a_line_that_appears_late_is_passed_and_none_is_passed_twice() -> None:
    log = Log()
    follower = Follower([(log, 0)])
    log.lines = [replace(LINE, id="new", at=1000)]
    assert ids(follower.new()) == ["new"]

    log.lines += [replace(LINE, id="late", at=1000 - OVERLAP_S), replace(LINE, id="same time", at=1000)]
    assert ids(follower.new()) == ["late", "same time"]
    assert ids(follower.new()) == []

    log.lines += [replace(LINE, id="newer", at=5000)]
    assert ids(follower.new()) == ["newer"]
    assert ids(follower.new()) == []


def test_no_line_of_one_source_is_lost_if_the_other_one_fails() -> None:
    good, bad = Log(), Log()
    good.lines, bad.lines = [replace(LINE, id="good")], [replace(LINE, id="bad", at=900)]
    bad.error = AccountError("no", passing=True)
    follower = Follower([(good, 0), (bad, 0)])
    with pytest.raises(AccountError):
        follower.new()

    bad.error = None
    assert ids(follower.new()) == ["bad", "good"]


class EndedError(Exception):
    """The end of a test's loop."""


def looks(*steps: Callable[[], None]) -> Callable[[float], None]:
    """A sleep that does one step after each look, and then ends the loop."""
    left = iter(steps)

    def sleep(_: float) -> None:
        step = next(left, None)
        if step is None:
            raise EndedError
        step()

    return sleep


def test_a_call_that_fails_in_passing_is_reported_once_and_loses_nothing() -> None:
    log, shown, warned = Log(), list[Line](), list[str]()

    def fails() -> None:
        log.error = AccountError("AWS could not be reached.", passing=True)
        log.lines.append(LINE)

    def works() -> None:
        log.error = None

    def nothing() -> None:
        pass

    with pytest.raises(EndedError):
        follow(
            Follower([(log, 0)]), shown.append, warned.append, interval_s=1, sleep=looks(fails, nothing, works, nothing)
        )

    assert shown == [LINE]
    assert warned == ["AWS could not be reached. The next look has what was missed."]


def test_an_error_that_stays_ends_it() -> None:
    log = Log()
    log.error = AccountError("These credentials need logs:FilterLogEvents.")
    with pytest.raises(AccountError, match="logs:FilterLogEvents"):
        follow(Follower([(log, 0)]), print, print, interval_s=1, sleep=looks())


def test_follow_prints_each_line_once_and_ends_with_0_on_ctrl_c(deployment: Deployment) -> None:
    deployment.log(ENDPOINT_LOG, "AllTraffic/i-1", "first")
    command = [sys.executable, "-c", "from ops.cli import main; main()", "logs", "endpoint", "-f", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as run:
        assert run.stdout
        seen = [json.loads(run.stdout.readline())["message"] for _ in range(2)]
        deployment.log(ENDPOINT_LOG, "AllTraffic/i-1", "second")
        seen.append(json.loads(run.stdout.readline())["message"])
        deployment.log(ENDPOINT_LOG, "AllTraffic/i-2", "third")
        seen.append(json.loads(run.stdout.readline())["message"])
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate()

    assert seen[1:] == ["first", "second", "third"]
    assert (rest, errors, run.returncode) == ("", "", 0)
