"""Settings of the endpoint: its instances, its updates, its scaling, and the capture of its traffic."""

import re
from dataclasses import dataclass, field
from typing import Annotated

from contract.declarations import Pattern, Range
from environments.environment import DESIGNED_ENDPOINT
from stacks.settings.network import SECURITY_GROUPS, SUBNETS, check_vpc
from stacks.settings.rules import PREFIX, SAGEMAKER_INSTANCE_TYPE, LogRetentionDays, check, require


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingSettings:
    min_instances: Annotated[int, Range(1, 100, "instances")] = 1
    """Lower bound of the fleet."""
    max_instances: Annotated[int, Range(1, 100, "instances")] = 3
    """Upper bound of the fleet, and so of its cost: more instances are billed only during a blue/green update."""
    target_invocations_per_min: Annotated[int, Range(1, 100_000, "invocations")] = 25
    """Invocations per instance and minute; Application Auto Scaling adds an instance above it."""
    scale_out_cooldown_s: Annotated[int, Range(0, 3600, "seconds")] = 30
    """Wait between two additions of instances."""
    scale_in_cooldown_s: Annotated[int, Range(0, 3600, "seconds")] = 30
    """Wait between two removals of instances."""

    def __post_init__(self) -> None:
        check(self, "serving.scaling")
        require(
            1 <= self.min_instances <= self.max_instances,
            "serving.scaling.min_instances",
            self.min_instances,
            f"between 1 and serving.scaling.max_instances ({self.max_instances})",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutSettings:
    bake_s: Annotated[int, Range(60, 3600, "seconds")] = 300
    """How long the new fleet takes all traffic while the old one is kept for a rollback."""
    old_fleet_removal_s: Annotated[int, Range(0, 3600, "seconds")] = 60
    """How much longer the old fleet is kept after that."""
    timeout_s: Annotated[int, Range(600, 28_800, "seconds")] = 3600
    """A rollout that takes longer is rolled back."""
    max_5xx_per_min: Annotated[int, Range(0, 10_000, "errors")] = 0
    """More server errors in a minute than this roll a rollout back."""
    max_latency_ms: Annotated[int, Range(1, 60_000, "ms")] = 2000
    """A 95th percentile of the model's own latency above this for three minutes rolls a rollout back."""
    rollback: bool = True
    """Whether a rollout is rolled back if an alarm fires. False for the one deploy that repairs an endpoint:
    SageMaker ends a rollout that begins while an alarm is in the state ALARM."""
    retain_variant_properties: bool = True
    """Whether an update keeps the number of instances that autoscaling has chosen. False leaves
    RetainAllVariantProperties and ExcludeRetainedVariantProperties out of the template. AWS documents both for updates
    alone, so set False if AWS refuses them when the endpoint is first created."""

    def __post_init__(self) -> None:
        check(self, "serving.rollout")
        require(
            self.timeout_s > self.bake_s + self.old_fleet_removal_s,
            "serving.rollout.timeout_s",
            self.timeout_s,
            f"more than bake_s and old_fleet_removal_s together ({self.bake_s + self.old_fleet_removal_s})",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureSettings:
    percent: Annotated[int, Range(0, 100, "%")] = 0
    """Share of the calls whose photo and answer are written to the bucket; 0 turns capture off."""
    prefix: Annotated[str, PREFIX] = "capture/"
    """Where in the bucket: capture/<endpoint>/<variant>/<year>/<month>/<day>/<hour>/*.jsonl."""
    keep_days: Annotated[int, Range(1, 3650, "days")] = 30
    """When the callers' photos are deleted."""

    def __post_init__(self) -> None:
        check(self, "serving.capture")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingSettings:
    endpoint_name: Annotated[
        str, Pattern(r"[a-z0-9](-*[a-z0-9]){0,62}", "1 to 63 of a-z, 0-9 and -, with no - at either end")
    ] = DESIGNED_ENDPOINT
    """Lower-case, because SageMaker writes it so in ARNs. A change makes a new endpoint and deletes the old one. In any
    environment but the default one it is <project>-<environment>-classifier, unless it is set."""
    instance_type: Annotated[str, SAGEMAKER_INSTANCE_TYPE] = "ml.m5.large"
    """An ml.m5.large has two CPUs. SageMaker refuses a change while the endpoint scales
    (docs/decisions/0003-endpoint-updates.md)."""
    initial_instances: Annotated[int, Range(1, 100, "instances")] = 1
    """Instances at the first creation; later updates keep the number that autoscaling has chosen."""
    image_uri: Annotated[
        str,
        Pattern(
            r"|[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.[a-z.]+/[a-z0-9._/-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})",
            "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG (or @sha256:DIGEST), or empty",
        ),
    ] = ""
    """Serving image in a private ECR repository. Empty: it is built from `inference/` in the account, so no Docker is
    needed on this machine."""
    startup_timeout_s: Annotated[int, Range(60, 3600, "seconds")] = 300
    """How long a container may take until its /ping returns 200."""
    download_timeout_s: Annotated[int, Range(60, 3600, "seconds")] = 300
    """How long the download of the artifact may take."""
    log_retention_days: LogRetentionDays = 30
    """How long the lines of the containers, the canary and the deploy's check are kept."""
    canary_interval_min: Annotated[int, Range(0, 10, "minutes")] = 1
    """How often a canary sends a photo to the endpoint, so that a rollout without callers is monitored too; 0 turns it
    off."""
    subnets: Annotated[tuple[str, ...], SUBNETS] = ()
    """Subnets of your VPC in which the containers run, 2 to 16, in different availability zones and with a route to S3
    (docs/environments.md). Empty: SageMaker's own network."""
    security_groups: Annotated[tuple[str, ...], SECURITY_GROUPS] = ()
    """Security groups of the containers, 1 to 5, if they have `subnets`. They need no inbound rule."""
    scaling: ScalingSettings = field(default_factory=ScalingSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    capture: CaptureSettings = field(default_factory=CaptureSettings)

    def __post_init__(self) -> None:
        check(self, "serving")
        require(
            not re.match(r"ml\.t\d", self.instance_type),
            "serving.instance_type",
            self.instance_type,
            "of another family: the burstable ones cannot be scaled automatically",
        )
        check_vpc(
            "serving",
            self.subnets,
            self.security_groups,
            least=2,
            because=", in different availability zones: SageMaker asks for two even if there is one instance",
        )
        low, high = self.scaling.min_instances, self.scaling.max_instances
        require(
            low <= self.initial_instances <= high,
            "serving.initial_instances",
            self.initial_instances,
            f"between serving.scaling.min_instances ({low}) and serving.scaling.max_instances ({high})",
        )
        # two calls that fail, the wait for the first of them, and the minutes until the alarm has seen them
        shortest = (2 * self.canary_interval_min + 3) * 60 if self.canary_interval_min else 0
        require(
            self.rollout.bake_s >= shortest,
            "serving.rollout.bake_s",
            self.rollout.bake_s,
            f"at least {shortest}, so that two calls of the canary can fail in it "
            f"(serving.canary_interval_min is {self.canary_interval_min}; 0 turns the canary off)",
        )
