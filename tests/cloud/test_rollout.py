"""The steps of a blue/green update, its bake times and its alarms, on a clock that a test moves."""

from collections.abc import Sequence
from typing import Any

import pytest

from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.rollout import Rollout
from tests.cloud.time_by_hand import HandClock

DONE, ROLLED_BACK = 1, -1


def deployment(kind: str = "ALL_AT_ONCE", *, wait: int = 300, limit: int = 3600, **routing: Any) -> Json:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **routing},
            "MaximumExecutionTimeoutInSeconds": limit,
            "TerminationWaitInSeconds": 60,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


def percent(value: int) -> Json:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def shifts(wanted: Json, *, instances: int = 4, alarm_at: float | None = None) -> list[tuple[float, float]]:
    """The new fleet's parts of the traffic, each with its time. alarm_at: from when on the alarm is in ALARM."""
    clock = HandClock()
    seen: list[tuple[float, float]] = []

    def alarms(names: Sequence[str]) -> list[str]:
        assert list(names) == ["errors"]
        return [] if alarm_at is None or clock.seconds < alarm_at else ["errors"]

    def shift(part: float) -> None:
        seen.append((round(clock.seconds), round(part, 6)))

    try:
        Rollout.read(wanted, instances).run(shift, alarms, clock, began=0)
    except HostingError:
        seen.append((clock.seconds, ROLLED_BACK))
    else:
        seen.append((clock.seconds, DONE))
    return seen


def test_all_at_once_bakes_once() -> None:
    assert shifts(deployment()) == [(0, 1), (300, 1)]


def test_a_canary_bakes_before_and_after_the_rest() -> None:
    # exact: the same division of the same whole numbers
    assert shifts(deployment("CANARY", CanarySize=percent(25))) == [(0, 0.25), (300, 1), (600, 1)]


def test_linear_steps_bake_after_each() -> None:
    size = {"Type": "INSTANCE_COUNT", "Value": 1}
    expected = [(0, 0.25), (300, 0.5), (600, 0.75), (900, 1), (1200, 1)]

    assert shifts(deployment("LINEAR", LinearStepSize=size)) == expected
    # exact: the same division of the same whole numbers
    assert shifts(deployment("LINEAR", LinearStepSize=percent(40))) == [(0, 0.4), (300, 0.8), (600, 1), (900, 1)]


def test_an_alarm_during_the_bake_ends_the_rollout_within_seconds() -> None:
    # exact: the same division of the same whole numbers
    assert shifts(deployment("CANARY", CanarySize=percent(25)), alarm_at=95) == [(0, 0.25), (100, ROLLED_BACK)]


def test_an_alarm_before_the_shift_keeps_the_traffic_where_it_is() -> None:
    assert shifts(deployment(), alarm_at=0) == [(0, ROLLED_BACK)]


def test_a_rollout_ends_at_its_limit() -> None:
    clock = HandClock()
    clock.seconds = 5000  # the new fleet took so long to start
    rollout = Rollout.read(deployment(), 1)

    with pytest.raises(HostingError, match=r"MaximumExecutionTimeoutInSeconds \(3600\)"):
        rollout.run(lambda _: None, lambda _: [], clock, began=0)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (deployment("CANARY"), "needs CanarySize"),
        (deployment("CANARY", CanarySize=percent(51)), "less than or equal to 50%"),
        (deployment("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}), "100% of 1"),
        (deployment("LINEAR", LinearStepSize=percent(9)), "10-50%"),
        (deployment(limit=360), "must be larger than the total waiting time"),
        ({"RollingUpdatePolicy": {"WaitIntervalInSeconds": 1}}, "not rehearsed"),
    ],
    ids=["no-size", "over-half", "one-instance", "small-steps", "limit", "rolling"],
)
def test_a_policy_that_sagemaker_refuses_is_refused(wanted: Json, sentence: str) -> None:
    with pytest.raises(AwsError, match=sentence):
        Rollout.read(wanted, 1)


def test_without_a_policy_the_traffic_shifts_at_once() -> None:
    assert Rollout.read({}, 3) == Rollout((1.0,))
