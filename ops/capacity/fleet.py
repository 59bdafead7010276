"""The instances of a variant, as Application Auto Scaling sees and changes them, on a clock that is simulated."""

import random
from collections.abc import Callable

from ops.capacity.instance import Instance
from rehearsal.cloud.autoscaling.alarm import Points
from rehearsal.cloud.autoscaling.variants import Instances, Variant
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.usage import Usage


class SimulatedClock(Clock):
    """Shows the time that the simulation has reached."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def now(self) -> float:
        """Seconds since the simulation's start."""
        return self.time


class SimulatedFleet:
    """See `rehearsal.cloud.autoscaling.variants.Variants`.

    start_s: seconds until a new instance is in service. instance: makes one.
    """

    def __init__(
        self, clock: SimulatedClock, *, count: int, start_s: float, instance: Callable[[], Instance], seed: int
    ) -> None:
        self.desired = count
        self._clock, self._start_s, self._instance = clock, start_s, instance
        self._random = random.Random(seed)
        self._changed_at: float | None = None
        self._instances = [instance() for _ in range(count)]
        self._usage = Usage(clock)
        self._usage.instances = count

    @property
    def in_service(self) -> int:
        """How many instances answer calls."""
        return len(self._instances)

    def call(self) -> float | None:
        """A call now: the seconds that it takes, or None if it is refused. SageMaker picks the instance at random.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantRoutingConfig.html
        """
        taken = self._random.choice(self._instances).answer(self._clock.time)
        self._usage.record(503 if taken is None else 200, model_s=taken or 0, overhead_s=0)
        return taken

    def settle(self) -> None:
        """Take instances into service that have started by now."""
        if self._changed_at is None or self._clock.time < self._changed_at:
            return
        self._changed_at = None
        self._instances += [self._instance() for _ in range(self.desired - len(self._instances))]
        self._usage.instances = len(self._instances)

    def instances(self, variant: Variant) -> Instances | None:
        """See `Variants`."""
        del variant  # there is one
        return Instances(self.desired, self.in_service, in_service=self._changed_at is None)

    def set_instances(self, variant: Variant, desired: int) -> None:
        """See `Variants`. Instances that are removed answer the calls that they have, and get no new ones."""
        del variant
        self.desired = desired
        self._instances = self._instances[:desired]
        self._usage.instances = len(self._instances)
        self._changed_at = self._clock.time + (self._start_s if desired > len(self._instances) else 0)

    def minutes(self, variant: Variant, count: int) -> Points:
        """See `Variants`."""
        del variant
        return [minute.invocations_per_instance for minute in self._usage.minutes(count)]
