"""Variants without SageMaker, and a clock that a test moves: for the rules of Application Auto Scaling."""

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.autoscaling.alarm import Points
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
