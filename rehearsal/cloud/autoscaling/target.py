"""Scalable targets and their policies, as they are registered and described."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rehearsal.cloud.api import Json
from rehearsal.cloud.autoscaling.activity import Activity
from rehearsal.cloud.autoscaling.tracking import Bounds, Cooldowns, Decision, TargetTracking
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Variant

METRIC = "SageMakerVariantInvocationsPerInstance"


@dataclass(slots=True)
class Policy:
    """A scaling policy. configuration: as it was put."""

    name: str
    arn: str
    configuration: Json
    alarms: tuple[str, str]
    """The names of the two alarms: high and low."""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def tracking(self) -> TargetTracking:
        """The rule."""
        return TargetTracking(
            target=float(self.configuration["TargetValue"]),
            scale_out_cooldown_s=float(self.configuration.get("ScaleOutCooldown", 300)),
            scale_in_cooldown_s=float(self.configuration.get("ScaleInCooldown", 300)),
            scale_in=not self.configuration.get("DisableScaleIn", False),
        )

    def described(self, variant: Variant, account: str, region: str) -> Json:
        """As DescribeScalingPolicies shows it."""
        return {
            "PolicyARN": self.arn,
            "PolicyName": self.name,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": variant.resource_id,
            "ScalableDimension": DIMENSION,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": self.configuration,
            "Alarms": self.described_alarms(account, region),
            "CreationTime": self.created,
        }

    def described_alarms(self, account: str, region: str) -> list[Json]:
        """As PutScalingPolicy returns them. Without scale-in, there is no alarm for it."""
        names = self.alarms if self.tracking.scale_in else self.alarms[:1]
        return [
            {"AlarmName": name, "AlarmARN": f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}"} for name in names
        ]


@dataclass(slots=True)
class Target:
    """A registered variant, and the state of its scaling."""

    variant: Variant
    arn: str
    role_arn: str
    bounds: Bounds
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    policies: dict[str, Policy] = field(default_factory=dict)
    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    pending: tuple[Activity, Decision | None] | None = None
    """The activity that is not complete, and the policy's decision that started it, if one did."""

    def described(self) -> Json:
        """As DescribeScalableTargets shows it."""
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.variant.resource_id,
            "ScalableDimension": DIMENSION,
            "MinCapacity": self.bounds.least,
            "MaxCapacity": self.bounds.most,
            "RoleARN": self.role_arn,
            "CreationTime": self.created,
            "SuspendedState": {
                "DynamicScalingInSuspended": self.bounds.in_suspended,
                "DynamicScalingOutSuspended": self.bounds.out_suspended,
                "ScheduledScalingSuspended": False,
            },
            "ScalableTargetARN": self.arn,
        }


def new_policy(name: str, variant: Variant, configuration: Json, account: str, region: str) -> Policy:
    """A policy with the names that AWS gives it and its alarms."""
    arn = (
        f"arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{variant.resource_id}:policyName/{name}"
    )
    high, low = (f"TargetTracking-{variant.resource_id}-Alarm{kind}-{uuid.uuid4()}" for kind in ("High", "Low"))
    return Policy(name, arn, configuration, (high, low))
