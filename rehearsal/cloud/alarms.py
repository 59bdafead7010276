"""CloudWatch alarms, evaluated on the clock: a period of 60 seconds is a minute of the clock.

The engine evaluates an alarm when a metric is written, over real seconds, whatever its dimensions and its missing data.
With a clock that runs faster, a sum over a minute would then cover many of the clock's minutes. So this module
evaluates every metric alarm at each minute of the clock, as
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html say. Alarms on a metric
expression, or on a statistic other than `STATISTICS` (a trimmed mean, say), keep their state.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rehearsal.cloud.api import Json
from rehearsal.cloud.clock import Clock

MINUTE_S = 60
STATISTICS = re.compile(r"Average|Maximum|Minimum|SampleCount|Sum|p\d+(\.\d+)?")
EXTRA_PERIODS = 2
"""CloudWatch reads more periods than it evaluates, in case some have no data; AWS's example reads two more."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one call of PutMetricData wrote. time: in seconds since 1970. A single value has no spread."""

    time: float
    count: float
    total: float
    least: float
    greatest: float


class AlarmStore(Protocol):
    """The engine's alarms and metrics."""

    def metric_alarms(self) -> list[Json]:
        """The alarms, as PutMetricAlarm has them, with "StateValue"."""
        ...

    def samples(self, namespace: str, metric: str, dimensions: Sequence[Json], since: float) -> list[Sample]:
        """What was written under exactly these dimensions for this time, in seconds since 1970, or a later one."""
        ...

    def set_alarm_state(self, name: str, state: str, reason: str) -> None:
        """SetAlarmState, with the actions of the new state."""
        ...


class Alarms:
    """Evaluates the alarms of a store."""

    def __init__(self, store: AlarmStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def evaluate(self) -> None:
        """Evaluate all alarms over the minutes that are complete, and set the states that change."""
        end = self._clock.now() // MINUTE_S * MINUTE_S
        for alarm in self._store.metric_alarms():
            if not _is_evaluated(alarm):
                continue
            state, reason = self._state(alarm, end)
            if state not in ("", alarm.get("StateValue")):
                self._store.set_alarm_state(str(alarm["AlarmName"]), state, reason)

    def _state(self, alarm: Json, end: float) -> tuple[str, str]:
        periods, period = int(alarm["EvaluationPeriods"]), float(alarm.get("Period") or MINUTE_S)
        first = end - period * (periods + EXTRA_PERIODS)
        since = self._clock.timestamp(first)
        samples = self._store.samples(alarm["Namespace"], alarm["MetricName"], alarm.get("Dimensions") or [], since)
        timed = [(self._clock.at(sample.time), sample) for sample in samples]
        values = []
        for index in range(periods + EXTRA_PERIODS):
            start = first + index * period
            inside = [sample for time, sample in timed if start <= time < start + period]
            values.append(statistic(_statistic_of(alarm), inside))
        breaching = COMPARISONS[alarm["ComparisonOperator"]]
        threshold = float(alarm.get("Threshold") or 0)
        breaches = [None if value is None else breaching(value, threshold) for value in values]
        state = state_of(
            breaches,
            periods,
            int(alarm.get("DatapointsToAlarm") or periods),
            str(alarm.get("TreatMissingData") or "missing"),
        )
        shown = ", ".join("none" if value is None else f"{value:g}" for value in values[-periods:])
        return (
            state,
            f"The last {periods} periods of {period:g} s have the values {shown}; the threshold is {threshold:g}.",
        )


def _is_evaluated(alarm: Json) -> bool:
    """Not one on a metric expression, nor one of a scaling policy, whose state the scaler sets."""
    if str(alarm.get("AlarmName")).startswith("TargetTracking-") or not alarm.get("MetricName"):
        return False
    return alarm.get("ComparisonOperator") in COMPARISONS and bool(STATISTICS.fullmatch(_statistic_of(alarm)))


def _statistic_of(alarm: Json) -> str:
    return str(alarm.get("ExtendedStatistic") or alarm.get("Statistic"))


def statistic(name: str, samples: Sequence[Sample]) -> float | None:
    """A statistic of one period, None without data. name: "Sum", "p95", ..."""
    if not samples:
        return None
    count = sum(sample.count for sample in samples)
    total = sum(sample.total for sample in samples)
    if name.startswith("p"):
        return _percentile(float(name[1:]), samples)
    return {
        "Average": total / count,
        "Maximum": max(sample.greatest for sample in samples),
        "Minimum": min(sample.least for sample in samples),
        "SampleCount": count,
        "Sum": total,
    }[name]


def _percentile(percent: float, samples: Sequence[Sample]) -> float:
    """The least value that has at least so many percent of the values below or at it."""
    ordered = sorted(samples, key=lambda sample: sample.greatest)
    wanted = math.ceil(percent / 100 * sum(sample.count for sample in samples))
    seen = 0.0
    for sample in ordered:
        seen += sample.count
        if seen >= wanted:
            return sample.greatest
    return ordered[-1].greatest


def state_of(breaches: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> str:
    """An alarm's state, "" to keep it. breaches: of each period that is read, oldest first, None without data."""
    known = [breach for breach in breaches if breach is not None]
    if not known:
        return {"breaching": "ALARM", "ignore": "", "notBreaching": "OK"}.get(missing, "INSUFFICIENT_DATA")
    filled = known[-periods:]
    lacking = periods - len(filled)
    if lacking and missing == "breaching":
        filled += [True] * lacking
    if sum(filled) >= to_alarm:
        return "ALARM"
    if lacking and missing in ("missing", "ignore") and all(known):
        # fewer points than the alarm needs, and all breach: it fires once the oldest is too old to be premature
        oldest = next(len(breaches) - place for place, breach in enumerate(breaches) if breach is not None)
        return "" if missing == "ignore" else "ALARM" if oldest >= to_alarm else "INSUFFICIENT_DATA"
    return "OK"
