"""What each alarm watches, and the reason for its statistic, threshold and number of minutes."""

from typing import Any

import pytest

from stacks.settings import Settings
from tests.infra.conftest import Assembly, Synthesise
from tests.infra.monitoring import alarm, alarms, rollback_alarm


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
            "It must go off before calls time out, and an average hides the slow ones.",
        ),
        (
            "FunctionFails",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
            "The function answers every fault itself, so a single error is a bug or a timeout.",
        ),
        (
            "FunctionThrottled",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 1},
            "Each throttled call is an error for a caller.",
        ),
        (
            "SpillOver",
            {"Statistic": "Sum", "Threshold": 0, "EvaluationPeriods": 10},
            "A burst of a few minutes costs some cold starts; only a lasting one needs more concurrency.",
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


def test_the_alarms_of_this_stack_notify_the_topic(development: Assembly) -> None:
    ((_, topic, _),) = development.resources("AWS::SNS::Topic")
    found = [properties for stack, _, properties in alarms(development) if stack == "Monitoring"]
    assert len(found) == 7
    for properties in found:
        assert properties["AlarmActions"] == [{"Ref": topic}]
        assert properties["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("startup_timeout_s", [300, 1800])
def test_a_fleet_is_too_small_only_after_autoscaling_had_time_to_enlarge_it(
    synthesise: Synthesise, startup_timeout_s: int
) -> None:
    """Target tracking needs three minutes above its target; a new instance may take both of its start-up limits."""
    found = alarm(synthesise(("serving.startup_timeout_s", startup_timeout_s)), "FleetTooSmall")
    serving = Settings().serving
    scaled_out_s = 3 * 60 + serving.download_timeout_s + startup_timeout_s
    assert found["EvaluationPeriods"] * found["Period"] >= max(15 * 60, scaled_out_s)
    assert found["Threshold"] == 2 * serving.scaling.target_invocations_per_min


def test_without_provisioned_concurrency_there_is_no_spill_over_alarm(synthesise: Synthesise) -> None:
    watched = {alarm["MetricName"] for _, _, alarm in alarms(synthesise(("api.provisioned_concurrency", 0)))}
    assert "Errors" in watched
    assert "ProvisionedConcurrencySpilloverInvocations" not in watched
