"""Variants without SageMaker, and a clock that a test moves: for the rules of Application Auto Scaling."""

from collections.abc import Iterable

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.autoscaling.alarm import Points, State
from rehearsal.cloud.autoscaling.target import Policy
from rehearsal.cloud.autoscaling.variants import Instances, Variant
from rehearsal.cloud.clock import Clock

DOGS = Variant("dogs", "AllTraffic")


class ManualClock(Clock):
    """A clock that stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def now(self) -> float:
        return self.time


class FakeAlarms:
    """The states of the alarms that exist."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {}

    def put(self, _: Variant, policy: Policy) -> None:
        names = policy.alarms if policy.tracking.scale_in else policy.alarms[:1]
        self.delete([policy])
        self.states.update(dict.fromkeys(names, State.INSUFFICIENT_DATA))

    def set_states(self, policy: Policy, points: Points) -> None:
        for name, alarm in zip(policy.alarms, (policy.tracking.high, policy.tracking.low), strict=True):
            if name in self.states:
                self.states[name] = alarm.state(points)

    def delete(self, policies: Iterable[Policy]) -> None:
        for policy in policies:
            for name in policy.alarms:
                self.states.pop(name, None)


class FakeVariants:
    """One variant under a constant load. A change takes effect with `finish`."""

    def __init__(self, desired: int = 1) -> None:
        self.known: dict[Variant, Instances] = {DOGS: Instances(desired, desired, True)}
        self.load = 0.0
        self.points: list[float | None] = []
        self.refusal = ""

    def instances(self, variant: Variant) -> Instances | None:
        return self.known.get(variant)

    def set_instances(self, variant: Variant, desired: int) -> None:
        if self.refusal:
            raise AwsError("ValidationException", self.refusal)
        self.known[variant] = Instances(desired, self.known[variant].current, False)

    def minutes(self, _: Variant, count: int) -> Points:
        return self.points[-count:]

    def finish(self) -> None:
        """The endpoint is in service with the desired number."""
        desired = self.known[DOGS].desired
        self.known[DOGS] = Instances(desired, desired, True)

    def pass_minute(self) -> None:
        """A minute under the load ends."""
        self.points.append(self.load / self.known[DOGS].current)
