"""`kennel why`: the last failure, its root cause, its log lines and its entry of the runbook."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.operate.error_lines import is_own, says_error, summary
from ops.operate.stack_events import root_cause
from tests.operate.deployment import ENDPOINT_LOG, FUNCTION_LOG, JOB, TRAINING_LOG, Deployment, event, flat, kennel
from tests.preflight.account import Account, denied

JOB_FAILED = f"Training job {JOB} is Failed: AlgorithmError: No photo in train/ can be decoded. Its log: https://x"

OF_A_STACK = {"StackId": "id", "StackName": "kennel-training", "Timestamp": datetime(2026, 11, 28, tzinfo=UTC)}


def failures() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kennel("why", "--json").stdout)["failures"]
    return found


def test_an_environment_that_works_has_no_failure(deployment: Deployment) -> None:
    result = kennel("why")

    assert result.stdout.strip() == "Nothing has failed that was not repaired since."
    assert result.exit_code == 0


def test_an_account_without_anything_says_what_comes_next(account: Account) -> None:
    account.answer("sagemaker.ListTrainingJobs", {"TrainingJobSummaries": []})
    result = kennel("why")

    assert "Nothing of this environment is deployed. Next: kennel preflight" in result.stdout
    assert result.exit_code == 4


def test_a_deploy_whose_training_failed_is_one_failure_with_the_end_of_the_log(deployment: Deployment) -> None:
    deployment.job("Failed", FailureReason="AlgorithmError: No photo", TrainingEndTime=datetime.now(UTC))
    deployment.log(TRAINING_LOG, f"{JOB}/algo-1-1790000000", "Training failed (rank 0): No photo")
    deployment.log(TRAINING_LOG, "kennel-development-other/algo-1-1790000000", "of another job")
    deployment.failed(
        "training",
        "ROLLBACK_COMPLETE",
        event("Job", "Custom::TrainingJob", "CREATE_FAILED", JOB_FAILED),
        event("Role", "AWS::IAM::Role", "CREATE_FAILED", "Resource creation cancelled"),
    )
    result = kennel("why")
    shown = flat(result.stdout)

    assert "The root cause: Custom::TrainingJob (Job) in kennel-training, CREATE_FAILED" in shown
    assert "Training failed (rank 0): No photo" in shown
    assert "of another job" not in shown
    assert "docs/runbook.md#a-training-job-failed" in shown
    assert "Also to look at" not in shown
    assert result.exit_code == 3


def test_an_error_long_before_the_end_of_the_log_is_shown_too(deployment: Deployment) -> None:
    deployment.job("Failed", FailureReason="AlgorithmError: x", TrainingEndTime=datetime.now(UTC))
    later = [f"line {number}" for number in range(40)]
    deployment.log(TRAINING_LOG, f"{JOB}/algo-1-1790000000", "RuntimeError: the cause", *later)
    deployment.failed("training", "ROLLBACK_COMPLETE", event("Job", "Custom::TrainingJob", "CREATE_FAILED", JOB_FAILED))
    (found,) = failures()
    messages = [line["message"] for line in found["lines"]]

    assert messages == ["RuntimeError: the cause", *later[-12:]]


def test_a_rollout_that_was_rolled_back_is_one_failure_with_the_errors_of_the_containers(
    deployment: Deployment,
) -> None:
    deployment.log(ENDPOINT_LOG, "AllTraffic/i-2", json.dumps({"event": "failed", "traceback": "T:\nValueError: no"}))
    deployment.endpoint(FailureReason="An alarm was in ALARM: ServerErrors", LastModifiedTime=datetime.now(UTC))
    reason = "Endpoint dogs serves endpoint config a, not the new b: SageMaker rolled the update back"
    deployment.failed(
        "serving", "UPDATE_ROLLBACK_COMPLETE", event("Check", "Custom::EndpointCheck", "UPDATE_FAILED", reason)
    )
    (found,) = failures()

    assert found["runbook"] == "docs/runbook.md#a-rollout-was-rolled-back"
    assert found["details"][-1] == "SageMaker's reason: An alarm was in ALARM: ServerErrors"
    assert [summary(line["message"]) for line in found["lines"]] == ["failed: ValueError: no"]
    assert found["logs"] == "kennel logs endpoint"


def test_a_silent_rollback_leads_to_the_same_entry(deployment: Deployment) -> None:
    deployment.endpoint(EndpointConfigName="of-before")

    assert [each["runbook"] for each in failures()] == ["docs/runbook.md#a-rollout-was-rolled-back"]


def test_the_answers_of_the_model_of_before_are_no_lines_about_a_rollback(deployment: Deployment) -> None:
    """An artifact that is no archive: the new container never started, so it logged nothing."""
    deployment.endpoint(FailureReason="Failed to extract model data archive", LastModifiedTime=datetime.now(UTC))
    deployment.failed(
        "serving",
        "UPDATE_ROLLBACK_COMPLETE",
        event("Check", "Custom::EndpointCheck", "UPDATE_FAILED", "SageMaker rolled the update back: Failed to extract"),
    )
    (found,) = failures()

    assert found["lines"] == []
    assert found["runbook"] == "docs/runbook.md#a-rollout-was-rolled-back"


def test_an_endpoint_that_was_deleted_leads_to_its_entry(deployment: Deployment) -> None:
    deployment.delete_endpoint()
    (found,) = failures()

    assert "does not exist, though kennel-serving has deployed it" in found["what"]
    assert found["runbook"] == "docs/runbook.md#the-endpoint-was-deleted"


def test_a_function_that_fails_hides_its_alarm_and_comes_before_an_older_failure(deployment: Deployment) -> None:
    deployment.ring()
    deployment.log(FUNCTION_LOG, "2026/1", "[ERROR] Runtime.ImportModuleError: No module named 'x'")
    ended = datetime.now(UTC) - timedelta(minutes=30)
    deployment.job("Failed", FailureReason="CapacityError: none", TrainingEndTime=ended)
    deployment.failed("training", "UPDATE_IN_PROGRESS")

    assert [each["runbook"] for each in failures()] == [
        "docs/runbook.md#the-function-fails",
        "docs/runbook.md#capacity-errors",
    ]


def test_an_alarm_leads_to_its_own_entry(deployment: Deployment) -> None:
    name = deployment.ring("1 datapoint was greater than the threshold")
    (found,) = failures()

    assert found["what"] == f"The alarm {name} is in the state ALARM."
    assert found["details"][1] == "CloudWatch says: 1 datapoint was greater than the threshold"
    assert found["runbook"] == "docs/runbook.md#the-function-fails"


def test_a_rollback_that_failed_leads_to_its_entry_whatever_the_reason(deployment: Deployment) -> None:
    deployment.failed("api", "UPDATE_ROLLBACK_FAILED", event("F", "X", "UPDATE_FAILED", "ResourceLimitExceeded"))

    assert [each["entry"] for each in failures()] == ["UPDATE_ROLLBACK_FAILED"]


def test_what_aws_refuses_to_say_is_a_line_and_the_failure_is_shown(deployment: Deployment) -> None:
    deployment.ring()
    deployment.account.refuse("sagemaker.ListTrainingJobs", denied("sagemaker:ListTrainingJobs"))
    result = kennel("why")

    assert "docs/runbook.md#the-function-fails" in result.stdout
    assert "These credentials need sagemaker:ListTrainingJobs." in flat(result.stdout)
    assert result.exit_code == 3


def of_stack(number: int, status: str, reason: str = "", *, own: bool = True) -> dict[str, Any]:
    at = datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=number)
    found = event("Resource" if own else "Stack", "AWS::X::Y", status, reason)
    physical = {} if own else {"PhysicalResourceId": "stack"}
    return {"Timestamp": at, "StackId": "stack", "StackName": "s", **found, **physical}


def test_the_stack_trace_of_cdks_provider_is_no_part_of_the_reason() -> None:
    reason = (
        "Error: There are no photos in s3://bucket/data/valid/ at all.\n\nLogs: /aws/lambda/job\n\n"
        "    at invokeUserFunction (/var/task/framework.js:2:6)\n"
        "    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)\n"
        "    at async onEvent (/var/task/framework.js:1:1411)"
    )
    cause = root_cause([{**event("Job", "Custom::TrainingJob", "CREATE_FAILED", reason), **OF_A_STACK}])

    assert cause
    assert cause.reason == "Error: There are no photos in s3://bucket/data/valid/ at all. Logs: /aws/lambda/job"


def test_the_root_cause_is_the_first_failure_of_the_last_operation_that_was_not_cancelled() -> None:
    events = [
        of_stack(0, "UPDATE_IN_PROGRESS", own=False),
        of_stack(1, "UPDATE_FAILED", "of an earlier operation"),
        of_stack(2, "UPDATE_IN_PROGRESS", own=False),
        of_stack(3, "UPDATE_FAILED", "Resource update cancelled"),
        of_stack(4, "UPDATE_FAILED", "the cause"),
        of_stack(5, "UPDATE_FAILED", "a consequence"),
        of_stack(6, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update", own=False),
        of_stack(7, "UPDATE_ROLLBACK_FAILED", "all of it", own=False),
    ]
    cause = root_cause(events[::-1])

    assert cause is not None
    assert cause.reason == "the cause"
    assert root_cause(events[2:4][::-1]) is None


@pytest.mark.parametrize(
    ("message", "error", "own"),
    [
        ('{"event": "answered", "status": 200}', False, False),
        ('{"event": "refused", "status": 415, "code": "unsupported"}', False, False),
        ('{"event": "refused", "status": 503, "code": "busy"}', True, False),
        ('{"event": "broken", "cause": "no model"}', True, False),
        ('{"status": 502, "causes": ["ModelError: 500"]}', True, False),
        ('{"status": 502, "causes": ["AccessDeniedException: not authorized to perform: sagemaker"]}', True, True),
        ('{"status": 500, "bug": "Traceback\\nKeyError: 1"}', True, True),
        ("2026-11-28T03:26:51Z r Task timed out after 10.00 seconds", True, True),
        ("[ERROR] Runtime.ImportModuleError: Unable to import module", True, True),
        ("START RequestId: 1 Version: 3", False, True),
        ("Traceback (most recent call last):", False, True),
        ("{not json", False, True),
    ],
)
def test_which_lines_say_that_something_failed(message: str, error: bool, own: bool) -> None:
    assert (says_error(message), is_own(message)) == (error, own)
