"""An alarm of a target tracking policy: it fires if all of its one-minute points breach."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rehearsal.cloud.alarms import EXTRA_PERIODS, state_of

Points = Sequence[float | None]
"""A metric's value in each of the last complete minutes, oldest first. None: the minute has no value."""


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
        return self.points + EXTRA_PERIODS

    def state(self, points: Points) -> State:
        """The state after the newest of these points. If they are fewer than `range`, the older ones are missing."""
        breaches = [None if value is None else self._breaches(value) for value in points[-self.range :]]
        return State(state_of(breaches, self.points, self.points, "missing"))

    def evaluated(self, points: Points) -> list[float]:
        """The values that decide: the newest ones, as many as the alarm has points, if there are so many."""
        present = [value for value in points[-self.range :] if value is not None]
        return present[-self.points :]

    def _breaches(self, value: float) -> bool:
        return value > self.threshold if self.above else value < self.threshold
