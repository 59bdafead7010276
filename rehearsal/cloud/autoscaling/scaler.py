"""The scaler: at each look, one a minute of the clock, it reads the alarms of every policy and changes the capacity."""

import threading
from collections.abc import Iterable

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.autoscaling.activity import Activities, Activity
from rehearsal.cloud.autoscaling.policy_alarms import PolicyAlarms
from rehearsal.cloud.autoscaling.target import Target
from rehearsal.cloud.autoscaling.tracking import Bounds, Decision, Watched, decide
from rehearsal.cloud.autoscaling.variants import Instances, Variant, Variants
from rehearsal.cloud.clock import Clock


class Scaler:
    """The registered targets, and what scales them.

    Its lock is never held while SageMaker is called, which may itself wait for this lock.
    """

    def __init__(self, variants: Variants, clock: Clock, alarms: PolicyAlarms) -> None:
        self.targets: dict[Variant, Target] = {}
        self.activities = Activities()
        self.lock = threading.RLock()
        self.alarms = alarms
        self._variants = variants
        self._clock = clock

    def look(self) -> None:
        """One look at every target, after a minute has ended."""
        with self.lock:
            targets = list(self.targets.values())
        for target in targets:
            self._look_at(target)

    def _look_at(self, target: Target) -> None:
        instances = self._variants.instances(target.variant)
        if instances is None:  # SageMaker deregisters the variants of an endpoint that is deleted
            self.remove([target.variant])
            return
        self._complete(target, instances)
        decision = self._decision(target, instances)
        if decision is None:
            return
        cause = self._cause(target, decision)
        if not instances.in_service:
            decision = Decision(decision.policy, decision.out, reason="TargetServicePutResourceAsUnscalable")
        if decision.capacity is None:
            self.activities.add(Activity(target.variant, cause, None, decision.reason, status="Failed"))
        else:
            self._change(target, decision.capacity, cause, decision)

    def _complete(self, target: Target, instances: Instances) -> None:
        """End the pending activity, if the endpoint is in service again."""
        with self.lock:
            if target.pending is None or not instances.in_service:
                return
            activity, decision = target.pending
            target.pending = None
            if instances.desired != activity.capacity:
                activity.end("Overridden", "The desired instance count was changed by a newer request.")
                return
            activity.succeed()
            if decision is not None:
                target.cooldowns = decision.completed(self._clock.now(), target.cooldowns)

    def _decision(self, target: Target, instances: Instances) -> Decision | None:
        with self.lock:
            policies = dict(target.policies)
            bounds, cooldowns = target.bounds, target.cooldowns
        if not policies:
            return None
        points = self._variants.minutes(target.variant, max(each.tracking.range for each in policies.values()))
        for policy in policies.values():
            self.alarms.set_states(policy, points)
        watched = {name: Watched(policy.tracking, points) for name, policy in policies.items()}
        return decide(self._clock.now(), instances.desired, bounds, watched, cooldowns)

    def _cause(self, target: Target, decision: Decision) -> str:
        high, low = target.policies[decision.policy].alarms
        return f"monitor alarm {high if decision.out else low} in state ALARM triggered policy {decision.policy}"

    def _change(self, target: Target, capacity: int, cause: str, decision: Decision | None = None) -> None:
        activity = self.activities.add(Activity(target.variant, cause, capacity))
        with self.lock:
            target.pending = (activity, decision)
        try:
            self._variants.set_instances(target.variant, capacity)
        except AwsError as error:
            activity.fail(str(error))
            with self.lock:
                target.pending = None

    def bring_within(self, target: Target, bounds: Bounds) -> None:
        """Give the target new bounds, and bring its capacity within them, if its endpoint is in service."""
        with self.lock:
            target.bounds = bounds
        instances = self._variants.instances(target.variant)
        if instances is None or not instances.in_service:
            return
        capacity = bounds.within(instances.desired)
        if capacity != instances.desired:
            which = "minimum" if capacity > instances.desired else "maximum"
            self._change(target, capacity, f"{which} capacity was set to {capacity}")

    def exists(self, variant: Variant) -> bool:
        """Whether SageMaker has this variant."""
        return self._variants.instances(variant) is not None

    def registered(self, endpoint: str) -> Iterable[str]:
        """The names of an endpoint's variants that are registered."""
        with self.lock:
            return [each.name for each in self.targets if each.endpoint == endpoint]

    def forget(self, endpoint: str) -> None:
        """Deregister the variants of an endpoint that is deleted."""
        with self.lock:
            variants = [each for each in self.targets if each.endpoint == endpoint]
        self.remove(variants)

    def remove(self, variants: Iterable[Variant]) -> list[Target]:
        """Deregister these variants, with their policies and alarms. Returns those that were registered."""
        with self.lock:
            removed = [self.targets.pop(each) for each in variants if each in self.targets]
        self.alarms.delete(policy for target in removed for policy in target.policies.values())
        return removed
