"""What only a metric or another service says: calls without a line in the log, failed scaling, budget, notebook."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.operate.account import Account as Credentials
from ops.operate.answers import Answers
from ops.operate.deployed import Deployed
from ops.operate.runbook import explained_by
from ops.operate.signals import Signal, signals
from tests.operate.deployment import DRIFT_LOG, ENDPOINT, FUNCTION_LOG, REGION, Deployment, kennel
from tests.preflight.account import ACCOUNT, denied

NOW = datetime.now(UTC)


def looked() -> list[Signal]:
    answers = Answers()
    found = signals(Deployed.of(Credentials.of("development")), answers)
    assert answers.unknown == ()
    return found


def counted(deployment: Deployment, metric: str, value: float, *, minutes_ago: float) -> None:
    """A metric of the function, as Lambda sends it."""
    deployment.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": "kennel-api"}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago),
                "Value": value,
            }
        ],
    )


def empty_log(deployment: Deployment) -> None:
    deployment.client("logs").delete_log_group(logGroupName=FUNCTION_LOG)


def test_a_call_that_left_no_line_is_found(deployment: Deployment) -> None:
    empty_log(deployment)
    deployment.log(FUNCTION_LOG, "2026/1", "of before", at=time.time() - 1800)
    counted(deployment, "Invocations", 4, minutes_ago=10)
    counted(deployment, "Errors", 3, minutes_ago=10)

    (found,) = looked()

    assert found.kind == "silent"
    assert "left no line in its log" in found.what
    assert found.details == ("Lambda counts 4 calls in the last hour; 3 failed.",)
    (failure,) = json.loads(kennel("why", "--json").stdout)["failures"]
    assert failure["runbook"] == "docs/runbook.md#a-role-lost-its-rights"


def test_a_call_of_this_minute_may_have_no_line_yet(deployment: Deployment) -> None:
    empty_log(deployment)
    counted(deployment, "Invocations", 1, minutes_ago=0)

    assert looked() == []


def test_calls_with_lines_and_no_calls_at_all_are_no_signal(deployment: Deployment) -> None:
    counted(deployment, "Invocations", 1, minutes_ago=10)

    assert looked() == []


def test_throttled_calls_lead_to_their_entry(deployment: Deployment) -> None:
    counted(deployment, "Throttles", 7, minutes_ago=10)

    (failure,) = json.loads(kennel("why", "--json").stdout)["failures"]

    assert failure["what"].startswith("Lambda has throttled 7 calls of the function kennel-api in the last hour.")
    assert failure["runbook"] == "docs/runbook.md#the-function-is-throttled"


@pytest.mark.parametrize(
    ("message", "entry"),
    [
        (
            "ResourceLimitExceeded: The account-level service limit 'ml.m5.large for endpoint usage' is 2",
            "quota-errors",
        ),
        pytest.param("InsufficientInstanceCapacity: none", "capacity-errors", marks=pytest.mark.slow),
        pytest.param("Something else", "the-endpoint-does-not-scale", marks=pytest.mark.slow),
    ],
)
def test_a_scaling_that_failed_leads_to_the_entry_of_its_reason(
    deployment: Deployment, message: str, entry: str
) -> None:
    activity = {
        "ActivityId": "1",
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{ENDPOINT}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "Description": "Setting desired instance count to 3.",
        "Cause": "alarm",
        "StartTime": NOW,
        "StatusCode": "Failed",
        "StatusMessage": message,
    }
    before = {**activity, "StartTime": NOW - timedelta(minutes=9), "StatusCode": "Successful"}
    other = {**activity, "ResourceId": "endpoint/other/variant/AllTraffic", "StartTime": NOW + timedelta(minutes=1)}
    answer = {"ScalingActivities": [before, activity, other]}
    deployment.account.answer("application-autoscaling.DescribeScalingActivities", answer)

    (failure,) = json.loads(kennel("why", "--json").stdout)["failures"]

    assert failure["runbook"] == f"docs/runbook.md#{entry}"
    assert failure["details"] == [f"Application Auto Scaling says: {message}"]


def budget(deployment: Deployment, *, actual: float, forecast: float) -> None:
    deployment.listed["budget"] = [("Budget", "AWS::Budgets::Budget", "kennel-budget")]
    deployment._stack("budget", {})
    spend = {name: {"Amount": str(value), "Unit": "USD"} for name, value in (("A", actual), ("F", forecast))}
    found: dict[str, Any] = {
        "BudgetName": "kennel-budget",
        "BudgetLimit": {"Amount": "220", "Unit": "USD"},
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
        "CalculatedSpend": {"ActualSpend": spend["A"], "ForecastedSpend": spend["F"]},
    }
    deployment.account.answer("budgets.DescribeBudget", {"Budget": found})


@pytest.mark.parametrize(
    ("actual", "forecast", "said"),
    [(100, 260, True), pytest.param(180, 200, True, marks=pytest.mark.slow), (100, 200, False)],
    ids=str,
)
def test_a_budget_that_is_exceeded_comes_last(
    deployment: Deployment, actual: float, forecast: float, said: bool
) -> None:
    budget(deployment, actual=actual, forecast=forecast)
    counted(deployment, "Throttles", 1, minutes_ago=50)

    found = json.loads(kennel("why", "--json").stdout)["failures"]

    assert [each["kind"] for each in found] == ["throttles", *(["budget"] if said else [])]
    if said:
        assert found[-1]["runbook"] == "docs/runbook.md#the-month-will-cost-more-than-the-budget"
        assert f"{actual:.2f} USD are spent, and AWS forecasts {forecast:.2f}" in found[-1]["what"]


def test_a_notebook_that_failed_is_shown_with_sagemakers_reason(deployment: Deployment) -> None:
    deployment.listed["workbench"] = [("Notebook", "AWS::SageMaker::NotebookInstance", "notebook")]
    deployment._stack("workbench", {})
    deployment.account.answer(
        "sagemaker.DescribeNotebookInstance",
        {
            "NotebookInstanceArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:notebook-instance/notebook",
            "NotebookInstanceName": "notebook",
            "NotebookInstanceStatus": "Failed",
            "FailureReason": "Notebook Instance Lifecycle Config took longer than 5 minutes",
            "LastModifiedTime": NOW,
        },
    )

    (failure,) = json.loads(kennel("why", "--json").stdout)["failures"]

    assert failure["runbook"] == "docs/runbook.md#the-notebook-instance-failed"
    assert "took longer than 5 minutes" in failure["details"][0]


@pytest.mark.parametrize(
    ("status", "said"),
    [("Failed", True), pytest.param("Stopped", True, marks=pytest.mark.slow), ("Completed", False)],
)
def test_a_drift_check_that_failed_is_shown_with_its_own_sentence(
    deployment: Deployment, status: str, said: bool
) -> None:
    message = "The artifact 1e9d73b23f4bcdc9 was trained before artifacts had test-photos.json"
    name = deployment.drift_check(status, ExitMessage=message)

    found = looked()

    assert [each.what for each in found] == ([f"The drift check {name} is {status}."] if said else [])
    for each in found:
        assert each.details == (f"The check says: {message}",)
        assert explained_by(" ".join((each.what, *each.details)), each.kind) == "The drift check failed"


def test_the_log_lines_of_a_failed_drift_check_are_shown_under_it(deployment: Deployment) -> None:
    name = deployment.drift_check("Failed", FailureReason="AlgorithmError: exit code: 1")
    later = [f"line {number}" for number in range(40)]
    deployment.log(DRIFT_LOG, f"{name}/algo-1-1790000000", "ValueError: the cause", *later)
    deployment.log(DRIFT_LOG, "kennel-development-drift-2026-11-26/algo-1-1790000000", "of the day before")

    (failure,) = json.loads(kennel("why", "--json").stdout)["failures"]

    assert [line["message"] for line in failure["lines"]] == ["ValueError: the cause", *later[-12:]]
    assert failure["logs"] == "kennel logs drift"


def test_a_failed_drift_check_is_shown_if_its_log_may_not_be_read(deployment: Deployment) -> None:
    name = deployment.drift_check("Failed", FailureReason="AlgorithmError: exit code: 1")

    def answer(call: dict[str, Any]) -> None:
        if call["logGroupName"] == DRIFT_LOG:
            raise denied("logs:FilterLogEvents")

    deployment.account.answer("logs.FilterLogEvents", answer)
    found = json.loads(kennel("why", "--json").stdout)

    (failure,) = found["failures"]
    assert failure["what"] == f"The drift check {name} is Failed."
    assert failure["logs"] == ""
    assert "the call that reads the log group /aws/sagemaker/ProcessingJobs" in " ".join(found["unknown"])


def test_without_the_daily_check_no_drift_check_is_asked_for(deployment: Deployment) -> None:
    deployment.account.refuse("sagemaker.ListProcessingJobs", denied("sagemaker:ListProcessingJobs"))

    assert looked() == []
