"""Alarms of CloudWatch, evaluated at each minute of the clock."""

from collections.abc import Sequence
from typing import Any

import pytest

from rehearsal.cloud.alarms import Alarms, Sample, state_of, statistic
from rehearsal.cloud.api import Json
from tests.cloud.time_by_hand import HandClock

DIMENSIONS = [{"Name": "EndpointName", "Value": "dogs"}]


def value(time: float, amount: float, count: float = 1) -> Sample:
    return Sample(time, count, amount * count, amount, amount)


class Store:
    """One alarm, and the samples of one metric."""

    def __init__(self, samples: list[Sample], **alarm: Any) -> None:
        self.found = samples
        self.alarm = {
            "AlarmName": "errors",
            "Namespace": "AWS/SageMaker",
            "MetricName": "Invocation5XXErrors",
            "Dimensions": DIMENSIONS,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 3.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "StateValue": "INSUFFICIENT_DATA",
            **alarm,
        }

    def metric_alarms(self) -> list[Json]:
        return [self.alarm]

    def samples(self, namespace: str, metric: str, dimensions: Sequence[Json], since: float) -> list[Sample]:
        assert (namespace, metric, dimensions) == ("AWS/SageMaker", "Invocation5XXErrors", DIMENSIONS)
        return [sample for sample in self.found if sample.time >= since]

    def set_alarm_state(self, name: str, state: str, reason: str) -> None:
        assert name == "errors"
        assert "threshold" in reason
        self.alarm["StateValue"] = state


def state_at(seconds: float, samples: list[Sample], **alarm: Any) -> str:
    clock, store = HandClock(), Store(samples, **alarm)
    clock.seconds = seconds
    Alarms(store, clock).evaluate()
    return str(store.alarm["StateValue"])


def test_a_period_is_a_minute_of_the_clock() -> None:
    two_in_each = [value(30, 2), value(90, 2), value(150, 2)]

    assert state_at(181, two_in_each) == "OK"
    assert state_at(181, [*two_in_each, value(151, 2)]) == "ALARM"


def test_a_minute_that_is_not_complete_does_not_count() -> None:
    assert state_at(119, [value(70, 9)]) == "INSUFFICIENT_DATA"
    assert state_at(121, [value(70, 9)]) == "ALARM"


def test_the_values_of_one_call_count_as_often_as_they_were_seen() -> None:
    assert state_at(61, [value(30, 1, count=3)]) == "OK"
    assert state_at(61, [value(30, 1, count=4)]) == "ALARM"


def test_a_period_of_five_minutes_covers_five_minutes() -> None:
    spread = [value(60 * minute + 30, 1) for minute in range(5)]

    assert state_at(301, spread, Period=300) == "ALARM"
    assert state_at(301, spread) == "OK"


def test_so_many_of_so_many_periods_alarm() -> None:
    breaching = [value(30, 9), value(150, 9)]

    assert state_at(181, [*breaching, value(90, 0)], EvaluationPeriods=3, DatapointsToAlarm=2) == "ALARM"
    assert state_at(181, [*breaching, value(90, 0)], EvaluationPeriods=3) == "OK"


@pytest.mark.parametrize(
    "alarm",
    [
        {"MetricName": None, "Metrics": [{"Id": "e1", "Expression": "m1 / m2"}]},
        {"AlarmName": "TargetTracking-endpoint/dogs-AlarmHigh-1"},
        {"ExtendedStatistic": "tm99"},
    ],
    ids=["expression", "scaling-policy", "trimmed-mean"],
)
def test_an_alarm_that_is_not_evaluated_here_keeps_its_state(alarm: Json) -> None:
    assert state_at(61, [value(30, 9)], **alarm) == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("missing", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "")],
)
def test_without_data_the_alarm_says_how_it_is_treated(missing: str, state: str) -> None:
    assert state_of([None] * 5, 3, 3, missing) == state


def test_missing_periods_are_filled_only_where_there_are_too_few_others() -> None:
    """The newest values that are known decide, and older periods are read for them."""
    assert state_of([True, True, None, True, None], 3, 3, "notBreaching") == "ALARM"
    assert state_of([None, None, None, True, True], 3, 3, "notBreaching") == "OK"
    assert state_of([None, None, None, True, True], 3, 3, "breaching") == "ALARM"


@pytest.mark.parametrize(
    ("periods", "to_alarm", "states"),
    [
        ("0-X-X", 3, ["OK", "OK", "OK", "OK"]),
        ("0----", 3, ["OK", "OK", "OK", "OK"]),
        ("-----", 3, ["INSUFFICIENT_DATA", "", "ALARM", "OK"]),
        ("0XX-X", 3, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("--X--", 3, ["ALARM", "", "ALARM", "OK"]),
        ("0-X-X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("00X0X", 2, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0-X--", 2, ["OK", "OK", "ALARM", "OK"]),
        ("----0", 2, ["OK", "OK", "ALARM", "OK"]),
        ("---X-", 2, ["ALARM", "", "ALARM", "OK"]),
    ],
)
def test_the_two_tables_of_cloudwatch(periods: str, to_alarm: int, states: list[str]) -> None:
    """An alarm of `to_alarm` out of 3 points, for each way to treat missing ones; "" keeps the state."""
    breaches = [{"0": False, "X": True, "-": None}[each] for each in periods]

    assert [
        state_of(breaches, 3, to_alarm, each) for each in ("missing", "ignore", "breaching", "notBreaching")
    ] == states


def test_the_statistics_of_a_period() -> None:
    samples = [value(0, each) for each in range(1, 101)]

    found = [statistic(name, samples) for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount", "p95")]
    # exact: sums and halves of whole numbers
    assert found == [5050, 50.5, 1, 100, 100, 95]
    assert statistic("p50", [value(0, 1, count=3), value(0, 9)]) == 1
    assert statistic("Sum", []) is None
