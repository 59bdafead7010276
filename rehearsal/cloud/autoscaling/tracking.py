"""Target tracking: the two alarms of a policy, the capacity that follows, and the cooldowns.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
The alarms' numbers of points and the low alarm's threshold are those of the alarms that AWS creates; what AWS does not
publish, docs/decisions/0092-target-tracking.md lists.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.cloud.autoscaling.alarm import Alarm, Points, State

HIGH_POINTS = 3
LOW_POINTS = 15
LOW_SHARE = 0.9
"""The low alarm's threshold, as a share of the target."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetTracking:
    """A policy. target: the metric's value for each instance."""

    target: float
    scale_out_cooldown_s: float = 300
    scale_in_cooldown_s: float = 300
    scale_in: bool = True

    @property
    def high(self) -> Alarm:
        """In the state ALARM: add instances."""
        return Alarm(HIGH_POINTS, self.target, above=True)

    @property
    def low(self) -> Alarm:
        """In the state ALARM: remove instances."""
        return Alarm(LOW_POINTS, LOW_SHARE * self.target, above=False)

    @property
    def range(self) -> int:
        """The number of points that the two alarms read."""
        return max(self.high.range, self.low.range)

    def scaled_out(self, capacity: int, points: Points) -> int:
        """The instances that bring the newest value to the target, rounded up: a fraction needs a whole instance."""
        return math.ceil(capacity * self.high.evaluated(points)[-1] / self.target)

    def scaled_in(self, capacity: int, points: Points) -> int:
        """The instances that the busiest of the low alarm's minutes needed, rounded up."""
        return math.ceil(capacity * max(self.low.evaluated(points)) / self.target)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The scalable target's minimum and maximum, and what of its scaling is suspended."""

    least: int
    most: int
    out_suspended: bool = False
    in_suspended: bool = False

    def within(self, capacity: int) -> int:
        """The capacity, brought into the bounds."""
        return min(max(capacity, self.least), self.most)


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """What the last activities of the policies block. The ends are in seconds of the clock."""

    out_ends: float = -math.inf
    before_out: int = 0
    """The capacity before the activities of this scale-out cooldown. The metric's values were measured with it."""
    in_ends: float = -math.inf


@dataclass(frozen=True, slots=True)
class Decision:
    """What one look at the policies leads to.

    policy, out: whose alarm was in the state ALARM, and which of the two. capacity: the new one, or None if none is set
    because of `reason`, one of AWS's codes.
    """

    policy: str
    out: bool
    capacity: int | None = None
    reason: str = ""
    measured_with: int = 0
    """The capacity with which the metric was measured."""
    cooldown_s: float = 0

    def completed(self, now: float, before: Cooldowns) -> Cooldowns:
        """The cooldowns after the activity is complete. A scale-out ends a scale-in cooldown."""
        if self.out:
            return Cooldowns(out_ends=now + self.cooldown_s, before_out=self.measured_with)
        return Cooldowns(before.out_ends, before.before_out, in_ends=now + self.cooldown_s)


@dataclass(frozen=True, slots=True)
class Watched:
    """A policy and the points of its metric."""

    policy: TargetTracking
    points: Points = field(default_factory=tuple)


def decide(
    now: float, capacity: int, bounds: Bounds, policies: Mapping[str, Watched], cooldowns: Cooldowns
) -> Decision | None:
    """What Application Auto Scaling does at `now`, in seconds of the clock; None if no alarm asks for anything.

    One policy that is ready is enough to scale out, and all that scale in have to be ready to scale in. Among several
    the largest capacity counts.
    """
    high = {name: each for name, each in policies.items() if each.policy.high.state(each.points) == State.ALARM}
    if high:
        return None if bounds.out_suspended else _out(now, capacity, bounds, high, cooldowns)
    scaling_in = {name: each for name, each in policies.items() if each.policy.scale_in}
    if not scaling_in or bounds.in_suspended:
        return None
    if any(each.policy.low.state(each.points) != State.ALARM for each in scaling_in.values()):
        return None
    return _in(now, capacity, bounds, scaling_in, cooldowns)


def _largest(wanted: Mapping[str, int]) -> tuple[str, int]:
    name = max(wanted, key=lambda name: wanted[name])
    return name, wanted[name]


def _out(
    now: float, capacity: int, bounds: Bounds, ready: Mapping[str, Watched], cooldowns: Cooldowns
) -> Decision | None:
    cooling = now < cooldowns.out_ends
    measured_with = cooldowns.before_out if cooling else capacity
    name, wanted = _largest({name: each.policy.scaled_out(measured_with, each.points) for name, each in ready.items()})
    if wanted <= capacity:  # in a cooldown only a larger scale-out counts
        return None if cooling else Decision(name, True, reason="AlreadyAtDesiredCapacity")
    new = bounds.within(wanted)
    if new <= capacity:
        return Decision(name, True, reason="AlreadyAtMaxCapacity")
    cooldown_s = ready[name].policy.scale_out_cooldown_s
    return Decision(name, True, new, measured_with=measured_with, cooldown_s=cooldown_s)


def _in(
    now: float, capacity: int, bounds: Bounds, ready: Mapping[str, Watched], cooldowns: Cooldowns
) -> Decision | None:
    if now < cooldowns.in_ends:
        return None
    name, wanted = _largest({name: each.policy.scaled_in(capacity, each.points) for name, each in ready.items()})
    if wanted >= capacity:
        return Decision(name, False, reason="AlreadyAtDesiredCapacity")
    new = bounds.within(wanted)
    if new >= capacity:
        return Decision(name, False, reason="AlreadyAtMinCapacity")
    return Decision(name, False, new, cooldown_s=ready[name].policy.scale_in_cooldown_s)
