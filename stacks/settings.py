"""Every figure of the deployment: its type, its default, its unit, and the values that it may take.

A default changes with `-c <section>.<field>=<value>`, nested sections included:
`cdk synth -c serving.scaling.max_instances=5`. `stacks/overrides.py` reads these; nothing else parses anything.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Literal


class SettingsError(ValueError):
    """A setting that cannot be. Its text is one sentence for the person who typed it."""


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Refuse a value with the one sentence that every refusal shares."""
    if not condition:
        raise SettingsError(f"{name} is {value!r}, but must be {allowed}.")


def _within(name: str, value: float, low: float, high: float) -> None:
    _require(low <= value <= high, name, value, f"between {low} and {high}")


def _matches(name: str, value: str, pattern: str, allowed: str) -> None:
    _require(re.fullmatch(pattern, value) is not None, name, value, allowed)


def _one_of(name: str, value: object, allowed: Collection[object]) -> None:
    _require(value in allowed, name, value, "one of " + ", ".join(str(option) for option in allowed))


LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
"""What CloudWatch Logs accepts, up to five years."""

SAGEMAKER_INSTANCE = r"ml\.[a-z0-9-]+\.[0-9a-z]+"
S3_PREFIX = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^\s,*?]+/)*"
S3_OBJECT = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s,*?]+"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectSettings:
    name: str = "kennel"
    """Starts the name of each stack and training job. A second name is a second, separate deployment (give it a
    `serving.endpoint_name` of its own)."""
    region: str = ""
    """Empty: the templates deploy to any region. Set: the stacks belong to it, and synth checks its training image."""
    termination_protection: bool = False
    """Refuse `cdk destroy` until it is turned off."""

    def __post_init__(self) -> None:
        _matches(
            "project.name", self.name, r"[a-z][a-z0-9-]{0,19}", "1 to 20 of a-z, 0-9 and -, starting with a letter"
        )
        _matches("project.region", self.region, r"|[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-west-1, or empty")


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    on_destroy: Literal["delete", "retain"] = "delete"
    """What `cdk destroy` does with the bucket: empty and delete it, or leave it in the account."""
    data_prefix: str = "data/"
    """Photos: data/{train,valid,test}/<breed>/."""
    artifact_prefix: str = "training/"
    """What jobs write: artifacts and checkpoints."""
    noncurrent_version_days: int = 30
    """How long an overwritten or deleted object can be brought back."""
    incomplete_upload_days: int = 7
    """An upload that never finished is billed until it is aborted."""

    def __post_init__(self) -> None:
        _one_of("storage.on_destroy", self.on_destroy, ("delete", "retain"))
        for name in ("data_prefix", "artifact_prefix"):
            _matches(f"storage.{name}", getattr(self, name), r"([A-Za-z0-9._-]+/)+", "a prefix that ends with /")
        _require(
            not self.artifact_prefix.startswith(self.data_prefix)
            and not self.data_prefix.startswith(self.artifact_prefix),
            "storage.artifact_prefix",
            self.artifact_prefix,
            f"apart from storage.data_prefix ({self.data_prefix!r}), so that a job cannot overwrite the photos",
        )
        _within("storage.noncurrent_version_days", self.noncurrent_version_days, 1, 3650)
        _within("storage.incomplete_upload_days", self.incomplete_upload_days, 1, 365)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings:
    instance_type: str = "ml.g4dn.xlarge"
    """One T4 each."""
    instance_count: int = 2
    """Hosts that train together, by DistributedDataParallel."""
    fallback_instance_types: tuple[str, ...] = ()
    """Types to take, in this order, when AWS has none of `instance_type` left; each is tried once. Comma-separated."""
    spot: bool = False
    """Train on spare capacity: about a third of the price, and SageMaker may interrupt the job, which then goes on from
    its last checkpoint."""
    spot_max_wait_min: int = 45
    """With `spot`: the job's limit with its waiting for instances included."""
    volume_gib: int = 100
    """Per host. A g4dn.xlarge brings its own 125 GB disk and refuses more than it has."""
    max_runtime_min: int = 45
    """The job is stopped after this. With the start of the instances it must fit the deploy's wait (see below)."""
    poll_interval_s: int = 30
    """How often a deploy looks at the job."""

    mode: Literal["frozen", "full"] = "frozen"
    """Train the head on a frozen backbone, or fine-tune everything."""
    epochs: int = 20
    """Passes over the training photos; in frozen mode over their features, which takes seconds."""
    batch_size: int = 64
    """Photos a step over all hosts together."""
    learning_rate: float | None = None
    """Its peak: it rises first, then falls. Empty, here and in the next two: what the mode's recipe has
    (docs/decisions/0031)."""
    weight_decay: float | None = None
    """Of AdamW. The larger, the more the weights are held back."""
    label_smoothing: float | None = None
    """Share of each photo's target that goes to the other breeds."""
    precision: Literal["auto", "fp32"] = "auto"
    """auto: int8 is served where its answers stay the same, which the job finds out; fp32: never."""
    seed: int = 0
    """Two jobs with one seed and one data set give one result."""
    image_size: int = 224
    """Pixels a side, after the crop."""
    pretrained_uri: str = ""
    """S3 object with ResNet50 weights, given to the job as channel `pretrained`. Empty: ImageNet's are downloaded."""

    data_version: str = ""
    """Digest of the photos' listing: another one trains again. `make deploy` sets it (`kennel data version`). Empty:
    the deploy lists the photos when it trains, and a later deploy looks again only when another setting changes."""
    model_data: str = ""
    """S3 URI of a finished model.tar.gz. Set: nothing is trained, the endpoint serves this."""

    image_tag: str = "2.14-cu133-amzn2023-sagemaker"
    """Tag in AWS's training repository `pytorch` (docs/decisions/0004-training-image.md)."""
    image_end_of_patch: date = date(2027, 8, 21)
    """AWS patches an image for a year. 2.14 was published after 2026-08-21; the earliest end is therefore this day."""

    WAIT_CEILING_MIN = 55
    """The CDK Provider framework waits an hour at most, its own calls included; five minutes are left for those."""
    STARTUP_MIN = 10
    """Of that wait: getting the instances, loading the image and the data, writing the artifact."""

    def __post_init__(self) -> None:
        _matches("training.instance_type", self.instance_type, SAGEMAKER_INSTANCE, "a type such as ml.g4dn.xlarge")
        _within("training.instance_count", self.instance_count, 1, 20)
        _within("training.volume_gib", self.volume_gib, 1, 16384)
        _require(
            self.instance_type != "ml.g4dn.xlarge" or self.volume_gib <= 125,
            "training.volume_gib",
            self.volume_gib,
            "at most 125 on ml.g4dn.xlarge, the size of its own disk",
        )
        longest = self.WAIT_CEILING_MIN - self.STARTUP_MIN
        _require(
            1 <= self.max_runtime_min <= longest,
            "training.max_runtime_min",
            self.max_runtime_min,
            f"between 1 and {longest}, because a deploy waits {self.WAIT_CEILING_MIN} minutes at most "
            "(train a longer job outside the deploy and pass it in as training.model_data)",
        )
        for kind in self.fallback_instance_types:
            # a job that runs on it carries the type in its name, which SageMaker limits to 63 characters
            _matches(
                "training.fallback_instance_types",
                kind,
                rf"(?=.{{1,18}}$){SAGEMAKER_INSTANCE}",
                "types such as ml.g5.xlarge, comma-separated",
            )
        _require(
            len({self.instance_type, *self.fallback_instance_types}) == 1 + len(self.fallback_instance_types),
            "training.fallback_instance_types",
            ",".join(self.fallback_instance_types),
            f"different types, none of them training.instance_type ({self.instance_type})",
        )
        _require(
            len(self.fallback_instance_types) <= 4,
            "training.fallback_instance_types",
            ",".join(self.fallback_instance_types),
            "at most 4 types, because a deploy waits for each in turn",
        )
        _require(
            (self.max_runtime_min if self.spot else 1) <= self.spot_max_wait_min <= longest,
            "training.spot_max_wait_min",
            self.spot_max_wait_min,
            f"between training.max_runtime_min ({self.max_runtime_min}) and {longest}, the time that a deploy waits",
        )
        # a look takes seconds of its own, and all of them together must stay under CloudFormation's hour
        _within("training.poll_interval_s", self.poll_interval_s, 30, 300)
        _require(
            self.WAIT_CEILING_MIN * 60 % self.poll_interval_s == 0,
            "training.poll_interval_s",
            self.poll_interval_s,
            f"a divisor of {self.WAIT_CEILING_MIN * 60}, such as 30",
        )
        _one_of("training.mode", self.mode, ("frozen", "full"))
        _within("training.epochs", self.epochs, 1, 1000)
        _within("training.batch_size", self.batch_size, 1, 8192)
        _require(
            self.batch_size % self.instance_count == 0,
            "training.batch_size",
            self.batch_size,
            f"a multiple of training.instance_count ({self.instance_count})",
        )
        rate = self.learning_rate
        _require(rate is None or 1e-8 <= rate <= 1, "training.learning_rate", rate, "between 1e-08 and 1")
        _within("training.weight_decay", self.weight_decay or 0.0, 0.0, 10.0)
        _within("training.label_smoothing", self.label_smoothing or 0.0, 0.0, 0.9)
        _within("training.seed", self.seed, 0, 2**31 - 1)
        _within("training.image_size", self.image_size, 32, 1024)
        _matches(
            "training.pretrained_uri",
            self.pretrained_uri,
            rf"|{S3_OBJECT}(?<=\.safetensors)",
            "s3://BUCKET/KEY.safetensors, or empty",
        )
        _matches("training.data_version", self.data_version, r"[A-Za-z0-9._-]{0,64}", "at most 64 letters and digits")
        _matches(
            "training.model_data", self.model_data, rf"|{S3_OBJECT}(?<=\.tar\.gz)", "s3://BUCKET/KEY.tar.gz, or empty"
        )
        _matches("training.image_tag", self.image_tag, r"[A-Za-z0-9._-]{1,128}", "an image tag")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalingSettings:
    min_instances: int = 1
    """Never fewer than this."""
    max_instances: int = 3
    """Ceiling on cost: never more than this many instances are billed, but for the minutes of a blue/green update."""
    target_invocations_per_min: int = 25
    """Per instance; Application Auto Scaling adds an instance above it."""
    scale_out_cooldown_s: int = 30
    """Wait between two additions."""
    scale_in_cooldown_s: int = 30
    """Wait between two removals."""

    def __post_init__(self) -> None:
        _within("serving.scaling.max_instances", self.max_instances, 1, 100)
        _require(
            1 <= self.min_instances <= self.max_instances,
            "serving.scaling.min_instances",
            self.min_instances,
            f"between 1 and serving.scaling.max_instances ({self.max_instances})",
        )
        _within("serving.scaling.target_invocations_per_min", self.target_invocations_per_min, 1, 100_000)
        _within("serving.scaling.scale_out_cooldown_s", self.scale_out_cooldown_s, 0, 3600)
        _within("serving.scaling.scale_in_cooldown_s", self.scale_in_cooldown_s, 0, 3600)


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutSettings:
    bake_s: int = 300
    """How long the new fleet takes all traffic while the old one stands by."""
    old_fleet_removal_s: int = 60
    """How much longer the old fleet stands by after that."""
    timeout_s: int = 3600
    """A rollout that takes longer is rolled back."""
    max_5xx_per_min: int = 0
    """More server errors than this in a minute roll a rollout back."""
    max_latency_ms: int = 2000
    """A 95th percentile of the model's own latency above this for three minutes rolls a rollout back."""
    rollback: bool = True
    """False for the one deploy that repairs an endpoint: SageMaker ends a rollout that begins under an alarm."""

    def __post_init__(self) -> None:
        _within("serving.rollout.bake_s", self.bake_s, 60, 3600)
        _within("serving.rollout.old_fleet_removal_s", self.old_fleet_removal_s, 0, 3600)
        _within("serving.rollout.timeout_s", self.timeout_s, 600, 28800)
        _require(
            self.timeout_s > self.bake_s + self.old_fleet_removal_s,
            "serving.rollout.timeout_s",
            self.timeout_s,
            f"more than bake_s and old_fleet_removal_s together ({self.bake_s + self.old_fleet_removal_s})",
        )
        _within("serving.rollout.max_5xx_per_min", self.max_5xx_per_min, 0, 10_000)
        _within("serving.rollout.max_latency_ms", self.max_latency_ms, 1, 60_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptureSettings:
    percent: int = 0
    """Share of the calls whose photo and answer are kept in the bucket; 0 turns it off."""
    prefix: str = "capture/"
    """Where in the bucket: capture/<endpoint>/<variant>/<year>/<month>/<day>/<hour>/*.jsonl."""
    keep_days: int = 30
    """Callers' photos are deleted after this."""

    def __post_init__(self) -> None:
        _within("serving.capture.percent", self.percent, 0, 100)
        _matches("serving.capture.prefix", self.prefix, r"([A-Za-z0-9._-]+/)+", "a prefix that ends with /")
        _within("serving.capture.keep_days", self.keep_days, 1, 3650)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingSettings:
    endpoint_name: str = "pytorch-dog-classifier-multi-instance"
    """Lower-case, because SageMaker writes it so in ARNs. A change makes a new endpoint and deletes the old one."""
    instance_type: str = "ml.m5.large"
    """Two CPUs. SageMaker refuses a change while the endpoint scales (docs/decisions/0003-endpoint-updates.md)."""
    initial_instances: int = 1
    """At the first creation; later updates keep what autoscaling has chosen."""
    image_uri: str = ""
    """Serving image in a private ECR repository. Empty: built from `inference/` in the account, without Docker here."""
    startup_timeout_s: int = 300
    """How long a container may take to answer its first /ping with 200."""
    download_timeout_s: int = 300
    """How long loading the artifact may take."""
    log_retention_days: int = 30
    """Container logs."""
    canary_interval_min: int = 1
    """How often the endpoint is shown a photo, so that a rollout nobody calls is judged too; 0 turns it off."""
    scaling: ScalingSettings = field(default_factory=ScalingSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    capture: CaptureSettings = field(default_factory=CaptureSettings)

    def __post_init__(self) -> None:
        _matches(
            "serving.endpoint_name",
            self.endpoint_name,
            r"[a-z0-9](-*[a-z0-9]){0,62}",
            "1 to 63 of a-z, 0-9 and -, with no - at either end",
        )
        _matches("serving.instance_type", self.instance_type, SAGEMAKER_INSTANCE, "a type such as ml.m5.large")
        _require(
            not re.match(r"ml\.t\d", self.instance_type),
            "serving.instance_type",
            self.instance_type,
            "of another family: the burstable ones cannot be scaled automatically",
        )
        low, high = self.scaling.min_instances, self.scaling.max_instances
        _require(
            low <= self.initial_instances <= high,
            "serving.initial_instances",
            self.initial_instances,
            f"between serving.scaling.min_instances ({low}) and serving.scaling.max_instances ({high})",
        )
        _matches(
            "serving.image_uri",
            self.image_uri,
            r"|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.[a-z.]+/[a-z0-9._/-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})",
            "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG (or @sha256:DIGEST), or empty",
        )
        _within("serving.startup_timeout_s", self.startup_timeout_s, 60, 3600)
        _within("serving.download_timeout_s", self.download_timeout_s, 60, 3600)
        _one_of("serving.log_retention_days", self.log_retention_days, LOG_RETENTION_DAYS)
        _within("serving.canary_interval_min", self.canary_interval_min, 0, 10)
        # two calls that fail, the wait for the first of them, and the minutes until the alarm has seen them
        shortest = (2 * self.canary_interval_min + 3) * 60 if self.canary_interval_min else 0
        _require(
            self.rollout.bake_s >= shortest,
            "serving.rollout.bake_s",
            self.rollout.bake_s,
            f"at least {shortest}, so that two calls of the canary can fail in it "
            f"(serving.canary_interval_min is {self.canary_interval_min}; 0 turns the canary off)",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    memory_mib: int = 512
    """Lambda gives CPU by memory; with 512 a 4.5 MB photo is decoded from base64 in milliseconds."""
    timeout_s: int = 29
    """The one time limit. Within it the function budgets its attempts at the endpoint and its own answer, by the
    deadline in its context; the HTTP API, where there is one, waits a second longer than this."""
    provisioned_concurrency: int = 3
    """Started ahead of the calls; 0 turns it off. AWS keeps 10 free: a new account's quota of 10 allows only 0."""
    readable_s3_prefixes: tuple[str, ...] = ()
    """s3://bucket/prefix/ entries, comma-separated, where a caller may name photos. Empty: no right to S3 at all."""
    log_retention_days: int = 30
    """Function logs, and the HTTP API's access logs."""
    http: bool = False
    """An HTTP API in front: POST /predict."""
    http_authorization: Literal["iam", "none"] = "iam"
    """Callers sign their requests (SigV4); or anyone on the internet may call, at your cost."""
    http_requests_per_s: int = 10
    """Over all callers; above it the HTTP API answers 429."""
    http_burst: int = 20
    """At once, before that rate counts."""

    HTTP_CEILING_S = 30
    """An HTTP API waits no longer for a function: docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

    def __post_init__(self) -> None:
        _within("api.memory_mib", self.memory_mib, 128, 10_240)
        _within("api.timeout_s", self.timeout_s, 5, 900)
        _require(
            not self.http or self.http_timeout_s <= self.HTTP_CEILING_S,
            "api.timeout_s",
            self.timeout_s,
            f"at most {self.HTTP_CEILING_S - 1} with api.http, because an HTTP API waits {self.HTTP_CEILING_S} s at "
            "most, and must outwait the function to pass its answer on",
        )
        _one_of("api.http_authorization", self.http_authorization, ("iam", "none"))
        _within("api.http_requests_per_s", self.http_requests_per_s, 1, 10_000)
        _within("api.http_burst", self.http_burst, 1, 5_000)
        _within("api.provisioned_concurrency", self.provisioned_concurrency, 0, 1000)
        for prefix in self.readable_s3_prefixes:
            _matches("api.readable_s3_prefixes", prefix, S3_PREFIX, "s3://BUCKET/PREFIX/ entries, comma-separated")
        _one_of("api.log_retention_days", self.log_retention_days, LOG_RETENTION_DAYS)

    @property
    def http_timeout_s(self) -> int:
        """Longer than the function's, so that a caller hears the function's own sentence, not the gateway's."""
        return self.timeout_s + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkbenchSettings:
    host: bool = True
    """The EC2 training host; false leaves it out."""
    host_instance_type: str = "g4dn.xlarge"
    """One T4, billed while it runs."""
    host_volume_gib: int = 125
    """Root volume; the image alone takes about half."""
    host_image: str = (
        "resolve:ssm:/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-ubuntu-24.04/latest/ami-id"
    )
    """The Deep Learning AMI: resolved once, when the host is launched, so that no later deploy replaces the host
    (docs/decisions/0005-workbench-image.md). Or an ami-... of the region."""
    zone_index: int = 0
    """Which of the region's zones, in CloudFormation's order. Take the next where EC2 has no g4dn.xlarge."""
    idle_stop_min: int = 60
    """The host stops itself after this long under 5 % CPU; 0 turns it off."""
    notebook: bool = True
    """The SageMaker notebook instance; false leaves it out."""
    notebook_instance_type: str = "ml.g4dn.xlarge"
    """One T4, billed while it runs."""
    notebook_volume_gib: int = 50
    """The notebook's home folder."""
    notebook_idle_stop_min: int = 60
    """The notebook stops itself after this long without use; 0 turns it off. An open tab is no use."""

    def __post_init__(self) -> None:
        _matches(
            "workbench.host_instance_type", self.host_instance_type, r"[a-z0-9-]+\.[0-9a-z]+", "such as g4dn.xlarge"
        )
        _within("workbench.host_volume_gib", self.host_volume_gib, 75, 16384)
        _matches(
            "workbench.host_image",
            self.host_image,
            r"ami-[0-9a-f]{8,17}|resolve:ssm:/[A-Za-z0-9_./-]+(:[A-Za-z0-9_.-]+)?",
            "ami-... or resolve:ssm:/PARAMETER",
        )
        _within("workbench.zone_index", self.zone_index, 0, 5)
        _within("workbench.idle_stop_min", self.idle_stop_min, 0, 1440)
        _require(
            self.idle_stop_min % 5 == 0, "workbench.idle_stop_min", self.idle_stop_min, "a multiple of 5 (or 0 for off)"
        )
        _matches(
            "workbench.notebook_instance_type",
            self.notebook_instance_type,
            SAGEMAKER_INSTANCE,
            "such as ml.g4dn.xlarge",
        )
        _within("workbench.notebook_volume_gib", self.notebook_volume_gib, 5, 16384)
        _within("workbench.notebook_idle_stop_min", self.notebook_idle_stop_min, 0, 1440)


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringSettings:
    email: str = ""
    """Who gets the alerts, once that address has confirmed AWS's mail. Empty: subscribe to the topic yourself."""
    monthly_budget_usd: int = 100
    """An alert when the account's month is forecast to end above it, and at four fifths of it; 0 turns it off."""

    def __post_init__(self) -> None:
        _matches("monitoring.email", self.email, r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an address such as a@b.org, or empty")
        _within("monitoring.monthly_budget_usd", self.monthly_budget_usd, 0, 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    project: ProjectSettings = field(default_factory=ProjectSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    workbench: WorkbenchSettings = field(default_factory=WorkbenchSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)

    def __post_init__(self) -> None:
        for name in ("data_prefix", "artifact_prefix"):
            taken, prefix = getattr(self.storage, name), self.serving.capture.prefix
            _require(
                not prefix.startswith(taken) and not taken.startswith(prefix),
                "serving.capture.prefix",
                prefix,
                f"apart from storage.{name} ({taken!r}), which it would mix with, and expire",
            )
