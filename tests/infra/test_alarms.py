"""What each alarm, graph and event rule watches, and why it is that statistic, that threshold and that many minutes."""

from typing import Any

import pytest

from stacks.settings import Settings
from tests.infra.conftest import Assembly
from tests.infra.test_monitoring import alarm, rules, widgets
from tests.infra.test_serving import rollback_alarm


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        (
            "MemoryFull",
            {"Statistic": "Maximum", "Threshold": 90, "Namespace": "/aws/sagemaker/Endpoints"},
            "An average over the fleet hides the one instance that is about to be killed, and above 90 % is too late.",
        ),
        (
            "FunctionSlow",
            {"ExtendedStatistic": "p95", "Threshold": Settings().api.timeout_s * 1000 * 0.8, "EvaluationPeriods": 5},
            "It must ring before calls time out, and an average hides the slow ones.",
        ),
        (
            "FunctionFails",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
            "The function answers every fault itself, so a single error is a bug or a timeout.",
        ),
        (
            "FunctionThrottled",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
            "Each throttle is a refused caller.",
        ),
        (
            "SpillOver",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 10},
            "A burst of a few minutes costs some cold starts; only a lasting one calls for more concurrency.",
        ),
        (
            "EventFailed",
            {"Statistic": "Maximum", "Threshold": 0, "Namespace": "AWS/SQS"},
            "SQS reports the queue's length several times a minute; the minimum is zero in the minute of arrival.",
        ),
    ],
)
def test_alarm_of_the_service(development: Assembly, name: str, expected: dict[str, Any], reason: str) -> None:
    found = alarm(development, name)
    assert {key: found.get(key) for key in expected} == expected, reason
    assert found["Period"] == 60
    assert found["ComparisonOperator"] == "GreaterThanThreshold"


def test_one_minute_with_server_errors_rolls_back(development: Assembly) -> None:
    """With few callers, one failed photo a minute is all that a broken release shows."""
    found = rollback_alarm(development, "Invocation5XXErrors")
    assert (found["Statistic"], found["Period"], found["EvaluationPeriods"]) == ("Sum", 60, 1)
    assert found["Threshold"] == Settings().serving.rollout.max_5xx_per_min == 0


def test_latency_is_drawn_in_milliseconds_beside_the_limit_in_milliseconds(development: Assembly) -> None:
    (graph,) = [graph for title, graph in widgets(development).items() if "latency" in title]
    expressions = [metric[0]["expression"] for metric in graph["metrics"] if "expression" in metric[0]]
    assert len(expressions) == 6
    assert all(expression.endswith(" / 1000") for expression in expressions)  # SageMaker publishes microseconds
    (limit,) = graph["annotations"]["horizontal"]
    assert limit["value"] == Settings().serving.rollout.max_latency_ms


def test_a_training_metric_is_drawn_as_it_was_logged(development: Assembly) -> None:
    """Several lines in one minute must not add up: an accuracy of 1.8 would be drawn."""
    searches = [
        metric[0]["expression"]
        for title, graph in widgets(development).items()
        for metric in graph.get("metrics", [])
        if title.startswith("Training") and isinstance(metric[0], dict)
    ]
    assert len(searches) == 16
    assert all(search.endswith(", 'Average', 60)") for search in searches)


def test_every_end_of_a_rollout_that_leaves_another_model_than_deployed_is_reported(development: Assembly) -> None:
    statuses = rules(development)["RolledBack"]["EventPattern"]["detail"]["EndpointStatus"]
    assert set(statuses) == {"ROLLING_BACK", "UPDATE_ROLLBACK_FAILED", "FAILED", "OUT_OF_SERVICE"}


def test_the_budget_warns_above_its_thresholds_and_not_below(development: Assembly) -> None:
    budget = development.only("AWS::Budgets::Budget")
    notifications = [entry["Notification"] for entry in budget["NotificationsWithSubscribers"]]
    assert {each["ComparisonOperator"] for each in notifications} == {"GREATER_THAN"}
    assert {each["ThresholdType"] for each in notifications} == {"PERCENTAGE"}  # 80 dollars would warn at once
