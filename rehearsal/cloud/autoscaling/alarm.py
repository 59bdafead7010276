"""how CloudWatch evaluates an alarm of N out of N points whose missing data stay missing.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Points = Sequence[float | None]
"""A metric's value in each of the last complete minutes, oldest first. None: the minute has no value."""

EXTRA_POINTS = 2
"""How many older points CloudWatch reads, in case some are missing. AWS's page gives it for an alarm of three points;
for a longer alarm it is not published."""


class State(StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm on the last `points` one-minute points. above: it fires above the threshold, and not below it."""

    points: int
    threshold: float
    above: bool

    @property
    def range(self) -> int:
        """The number of points that `state` reads."""
        return self.points + EXTRA_POINTS

    def state(self, points: Points) -> State:
        """The state after the newest of these points. If they are fewer than `range`, the older ones are missing."""
        evaluated = self.evaluated(points)
        if not evaluated:
            return State.INSUFFICIENT_DATA
        if not all(map(self._breaches, evaluated)):
            return State.OK
        newest = points[-self.range :]
        oldest = next(age for age, value in zip(range(len(newest), 0, -1), newest, strict=True) if value is not None)
        if len(evaluated) == self.points or oldest >= self.points:
            return State.ALARM
        return State.INSUFFICIENT_DATA  # the alarm could be premature: CloudWatch waits for the next point

    def evaluated(self, points: Points) -> list[float]:
        """The values that decide: the newest ones, as many as the alarm has points, if there are so many."""
        present = [value for value in points[-self.range :] if value is not None]
        return present[-self.points :]

    def _breaches(self, value: float) -> bool:
        return value > self.threshold if self.above else value < self.threshold
