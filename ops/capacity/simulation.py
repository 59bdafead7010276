"""The simulation: the calls of each minute reach the fleet, and then the scaler looks at it."""

import random
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inference.server.admission import LIMIT_S
from ops.capacity.fleet import SimulatedClock, SimulatedFleet
from ops.capacity.instance import Instance
from ops.capacity.load import MINUTE_S, Load, arrivals
from rehearsal.cloud.autoscaling.alarm import Points
from rehearsal.cloud.autoscaling.scaler import Scaler
from rehearsal.cloud.autoscaling.target import Policy, Target, new_policy
from rehearsal.cloud.autoscaling.tracking import Bounds
from rehearsal.cloud.autoscaling.variants import Variant
from stacks.settings.serving import ScalingSettings

_VARIANT = Variant("simulated", "AllTraffic")
_REGION, _ACCOUNT = "us-east-1", "111122223333"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What decides how the fleet answers."""

    scaling: ScalingSettings
    initial: int
    """Instances at the start."""
    photo_s: float
    """Seconds in which an instance answers a photo that is alone there."""
    start_s: float
    """Seconds until a new instance is in service."""
    callers_wait_s: float = LIMIT_S
    """How long the callers of the endpoint wait."""


@dataclass(frozen=True, slots=True)
class SimulatedMinute:
    """latencies_s: of the calls that were answered. refused: the others, with status 503."""

    latencies_s: Sequence[float]
    refused: int
    desired: int
    in_service: int

    @property
    def calls(self) -> int:
        return len(self.latencies_s) + self.refused


class _Alarms:
    """Nothing shows the alarms' states here. See `PolicyAlarms`."""

    def put(self, variant: Variant, policy: Policy) -> None:
        """See `PolicyAlarms`."""

    def set_states(self, policy: Policy, points: Points) -> None:
        """See `PolicyAlarms`."""

    def delete(self, policies: Iterable[Policy]) -> None:
        """See `PolicyAlarms`."""


def simulate(
    load: Load, rules: Rules, seed: int, *, progress: Callable[[int], None] = lambda _: None
) -> list[SimulatedMinute]:
    """Each minute of the load. The same seed gives the same calls. progress: called with the minutes that are done."""
    random_ = random.Random(seed)
    clock = SimulatedClock()
    fleet = SimulatedFleet(
        clock,
        count=rules.initial,
        start_s=rules.start_s,
        instance=lambda: Instance(rules.photo_s, rules.callers_wait_s),
        seed=seed,
    )
    scaler = _scaler(fleet, clock, rules.scaling)
    found = []
    for number, calls in enumerate(load.calls):
        begin = number * MINUTE_S
        latencies, refused = array("d"), 0
        for second in arrivals(calls, random_):
            clock.time = begin + second
            fleet.settle()
            taken = fleet.call()
            if taken is None:
                refused += 1
            else:
                latencies.append(taken)
        found.append(SimulatedMinute(latencies, refused, fleet.desired, fleet.in_service))
        clock.time = float(begin + MINUTE_S)
        fleet.settle()
        scaler.look()
        progress(number + 1)
    return found


def _scaler(fleet: SimulatedFleet, clock: SimulatedClock, settings: ScalingSettings) -> Scaler:
    """As stacks/serving/scaling.py declares it."""
    configuration = {
        "TargetValue": settings.target_invocations_per_min,
        "ScaleOutCooldown": settings.scale_out_cooldown_s,
        "ScaleInCooldown": settings.scale_in_cooldown_s,
    }
    scaler = Scaler(fleet, clock, _Alarms())
    policy = new_policy("invocations", _VARIANT, configuration, _ACCOUNT, _REGION)
    bounds = Bounds(settings.min_instances, settings.max_instances)
    scaler.targets[_VARIANT] = Target(_VARIANT, "", "", bounds, policies={policy.name: policy})
    return scaler
