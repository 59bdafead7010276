"""`kennel status`: ordinary, empty and broken, and without credentials."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.operate.account import AccountError
from tests.operate.deployment import ENDPOINT, ENDPOINT_LOG, JOB, Deployment, event, flat, kennel
from tests.preflight.account import Account, RefusedCallError, denied


def as_json(*words: str) -> Any:
    return json.loads(kennel("status", "--json", *words).stdout)


def test_one_screen_shows_everything_of_an_environment_that_works(deployment: Deployment) -> None:
    result = kennel("status")
    shown = flat(result.stdout)

    assert "monitoring, training, serving, api complete" in shown
    assert f"{ENDPOINT} is InService" in shown
    assert "as its stack has deployed" in shown
    assert "1 x ml.m5.large (AllTraffic)" in shown
    assert "s3://bucket/model.tar.gz" in shown
    assert f"{JOB} is Completed" in shown
    assert "test:served_accuracy 0.65" in shown
    assert "alarms 0 of 2 in ALARM" in shown
    assert "last errors none in the last hour" in shown
    assert shown.endswith("Everything works.")
    assert len(result.stdout.splitlines()) < 25
    assert result.exit_code == 0


def test_an_account_without_anything_says_what_comes_next(account: Account) -> None:
    account.answer("sagemaker.ListTrainingJobs", {"TrainingJobSummaries": []})
    result = kennel("status")

    assert "Nothing of this environment is deployed. Next: kennel preflight" in flat(result.stdout)
    assert result.exit_code == 4
    assert as_json()["deployed"] is False


def test_a_rollout_that_no_deploy_noticed_is_seen_by_the_two_configurations(deployment: Deployment) -> None:
    deployment.endpoint(EndpointConfigName="of-before")
    result = kennel("status")

    assert "runs of-before, but its stack has deployed" in flat(result.stdout)
    assert f"The endpoint {ENDPOINT} serves the endpoint config of-before, not" in flat(result.stdout)
    assert flat(result.stdout).endswith("Next: kennel why")
    assert result.exit_code == 3


def test_an_endpoint_that_was_deleted_is_a_problem(deployment: Deployment) -> None:
    deployment.delete_endpoint()
    result = kennel("status")

    assert f"The endpoint {ENDPOINT} does not exist, though kennel-serving has deployed it" in flat(result.stdout)
    assert flat(result.stdout).endswith("Next: kennel why")
    assert result.exit_code == 3


def test_a_rollout_that_was_rolled_back_shows_sagemakers_reason(deployment: Deployment) -> None:
    deployment.endpoint(FailureReason="An alarm went off: errors.")

    assert "rolled back; it serves the model of before. SageMaker's reason: An alarm went off: errors." in flat(
        kennel("status").stdout
    )


def test_an_update_in_progress_is_no_problem(deployment: Deployment) -> None:
    pending = {"EndpointConfigName": "the-new-one"}
    deployment.endpoint(EndpointStatus="Updating", PendingDeploymentSummary=pending)
    result = kennel("status")

    assert "an update to the-new-one is in progress" in flat(result.stdout)
    assert result.exit_code == 0


def test_a_stack_that_failed_is_a_problem_and_the_others_are_complete(deployment: Deployment) -> None:
    deployment.failed("serving", "UPDATE_ROLLBACK_COMPLETE", event("Endpoint", "X", "UPDATE_FAILED", "Why."))
    found = as_json()

    assert "The stack kennel-serving is UPDATE_ROLLBACK_COMPLETE: its last deploy failed." in found["problems"]
    assert {stack["kind"]: stack["status"] for stack in found["stacks"]}["api"] == "CREATE_COMPLETE"


def test_an_alarm_that_rings_is_a_problem(deployment: Deployment) -> None:
    name = deployment.ring()

    assert as_json()["problems"] == [f"The alarm {name} is in the state ALARM. The function failed."]


def test_a_failed_job_is_a_problem_until_a_later_deploy_succeeds_without_it(deployment: Deployment) -> None:
    early = datetime(2026, 1, 1, tzinfo=UTC)
    deployment.job("Failed", FailureReason="AlgorithmError: No photo", TrainingEndTime=datetime.now(UTC))
    assert f"The training job {JOB} is Failed. SageMaker's reason: AlgorithmError: No photo" in as_json()["problems"]

    deployment.job("Failed", FailureReason="AlgorithmError: No photo", TrainingEndTime=early)
    assert "a later deploy succeeded without it" in flat(kennel("status").stdout)


def test_errors_of_the_last_hour_are_shown_once_each(deployment: Deployment) -> None:
    failed = [
        json.dumps({"event": "failed", "status": 500, "ms": ms, "traceback": "Traceback:\n  x\nValueError: no"})
        for ms in (1, 2)
    ]
    deployment.log(ENDPOINT_LOG, "AllTraffic/i-1", *failed, json.dumps({"event": "refused", "status": 415}))
    assert [line["message"] for line in as_json()["errors"]] == failed[1:]
    assert "endpoint: failed 500: ValueError: no" in flat(kennel("status").stdout)


def test_the_price_is_that_of_the_instances_that_run(deployment: Deployment) -> None:
    one = as_json()["cost"]["stacks_usd_hour"]["Serving"]
    variant = {"VariantName": "AllTraffic", "CurrentInstanceCount": 3, "DesiredInstanceCount": 3}
    deployment.endpoint(ProductionVariants=[variant])

    three = as_json()["cost"]["stacks_usd_hour"]["Serving"]
    assert three - one == pytest.approx(2 * 0.12, abs=0.01)  # two ml.m5.large with their volumes


def test_a_training_that_runs_is_in_the_price(deployment: Deployment) -> None:
    before = as_json()["cost"]["usd_hour"]
    deployment.job("InProgress")
    after = as_json()["cost"]

    assert after["training_usd_hour"] > 1  # two ml.g4dn.xlarge
    assert after["usd_hour"] == pytest.approx(before + after["training_usd_hour"])


def test_what_aws_refuses_to_say_is_a_line_and_the_rest_is_shown(deployment: Deployment) -> None:
    deployment.account.refuse("cloudwatch.DescribeAlarms", denied("cloudwatch:DescribeAlarms"))
    result = kennel("status")

    assert "unknown AWS refused the call that describes the alarms" in flat(result.stdout)
    assert "These credentials need cloudwatch:DescribeAlarms." in flat(result.stdout)
    assert f"{ENDPOINT} is InService" in flat(result.stdout)
    assert result.exit_code == 1


def test_an_answer_of_a_proxy_is_a_line(deployment: Deployment) -> None:
    deployment.account.break_answers("sagemaker")

    assert "is not AWS's. Check HTTPS_PROXY and AWS_ENDPOINT_URL" in flat(kennel("status").stdout)


@pytest.mark.parametrize("words", [["status"], ["logs"], ["why"]], ids=" ".join)
def test_without_credentials_each_command_is_one_sentence(
    words: list[str], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(
        AccountError, match=r"^There are no AWS credentials\. Run `aws configure sso` or set AWS_PROFILE"
    ):
        kennel(*words)


@pytest.mark.parametrize("words", [["status"], ["logs"], ["why"]], ids=" ".join)
def test_expired_credentials_are_one_sentence(words: list[str], account: Account) -> None:
    account.refuse("sts.GetCallerIdentity", RefusedCallError("ExpiredToken", "The token has expired.", 403))

    with pytest.raises(AccountError, match=r"The session of these credentials has expired\. Run `aws sso login`"):
        kennel(*words)
