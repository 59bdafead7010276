"""The shift of traffic from the old fleet to the new one: steps, bake times and alarms.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.failure import HostingError

LOOK_S = 10
"""Between two looks at the alarms, on the clock."""
DEFAULT_LIMIT_S = 28_800

Alarms = Callable[[Sequence[str]], list[str]]
"""Those of the named alarms that are in ALARM. Raises HostingError if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How an update goes. steps: the new fleet's part of the traffic, in order."""

    steps: tuple[float, ...]
    wait_s: int = 0
    """The bake time after each step."""
    termination_wait_s: int = 0
    limit_s: int = DEFAULT_LIMIT_S
    alarms: tuple[str, ...] = ()

    @staticmethod
    def read(deployment: Json, instances: int) -> "Rollout":
        """A DeploymentConfig for a new fleet of so many instances. Raises AwsError if SageMaker would refuse it."""
        if deployment.get("RollingUpdatePolicy"):
            raise AwsError("ValidationException", "RollingUpdatePolicy is not rehearsed: use BlueGreenUpdatePolicy.")
        names = [
            str(alarm["AlarmName"]) for alarm in (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms", [])
        ]
        policy = deployment.get("BlueGreenUpdatePolicy")
        if not policy:
            return Rollout((1.0,), alarms=tuple(names))
        routing = policy["TrafficRoutingConfiguration"]
        rollout = Rollout(
            _steps(routing, instances),
            wait_s=int(routing["WaitIntervalInSeconds"]),
            termination_wait_s=int(policy.get("TerminationWaitInSeconds") or 0),
            limit_s=int(policy.get("MaximumExecutionTimeoutInSeconds") or DEFAULT_LIMIT_S),
            alarms=tuple(names),
        )
        waits = rollout.wait_s * len(rollout.steps) + rollout.termination_wait_s
        if rollout.limit_s <= waits:
            raise AwsError(
                "ValidationException",
                f"MaximumExecutionTimeoutInSeconds ({rollout.limit_s}) must be larger than the total waiting time "
                f"({waits}).",
            )
        return rollout

    def run(self, shift: Callable[[float], None], alarms: Alarms, clock: Clock, *, began: float) -> None:
        """Shift the traffic. began: when the update began, on the clock. Raises HostingError to roll back."""
        self._look(alarms, clock, began)
        for part in self.steps:
            shift(part)
            until = clock.now() + self.wait_s
            while (left := until - clock.now()) > 0:
                clock.sleep(min(left, LOOK_S))
                self._look(alarms, clock, began)

    def _look(self, alarms: Alarms, clock: Clock, began: float) -> None:
        if clock.now() - began > self.limit_s:
            raise HostingError(
                f"The deployment did not complete within MaximumExecutionTimeoutInSeconds ({self.limit_s})."
            )
        if self.alarms and (ringing := alarms(self.alarms)):
            raise HostingError(
                f"The deployment was rolled back because an alarm was in the state ALARM: {', '.join(sorted(ringing))}."
            )


def _steps(routing: Json, instances: int) -> tuple[float, ...]:
    kind = routing["Type"]
    if kind == "ALL_AT_ONCE":
        return (1.0,)
    name, least = ("CanarySize", 0.0) if kind == "CANARY" else ("LinearStepSize", 0.1)
    size = routing.get(name)
    if not size:
        raise AwsError("ValidationException", f"A traffic routing of type {kind} needs {name}.")
    part = int(size["Value"]) / (100 if size["Type"] == "CAPACITY_PERCENT" else instances)
    if not least <= part <= 0.5:
        raise AwsError(
            "ValidationException",
            f"{name} must be {'10-50%' if least else 'less than or equal to 50%'} of the variant's total instance "
            f"count, and not {part:.0%} of {instances}.",
        )
    if kind == "CANARY":
        return (part, 1.0)
    whole = int(1 / part + 1e-9)
    steps = tuple(part * step for step in range(1, whole + 1))
    return steps if abs(steps[-1] - 1) < 1e-9 else (*steps, 1.0)
