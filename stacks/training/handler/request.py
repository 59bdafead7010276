"""What a job is made of, read from the custom resource's properties, and the name that this determines."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contract.photos import is_digest

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A bucket, and a prefix in it that ends with a slash."""

    bucket: str
    prefix: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """One training job, but for its name. CloudFormation hands over every property as text."""

    prefix: str
    """Starts the job's name."""
    image: str
    instance_type: str
    instance_count: int
    hyperparameters: Mapping[str, str]
    pretrained: str
    """S3 URI of weights, or empty."""
    data: Location
    artifacts: Location
    role_arn: str
    volume_gib: int
    max_runtime_s: int
    metrics: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
    """Instance types to take, in this order, where AWS has none of `instance_type` left."""
    data_version: str = ""
    """What the photos are called, usually the digest of their listing. Empty: the handler lists them itself."""
    max_wait_s: int = 0
    """With managed spot training: its limit, the waiting for instances included. 0: on demand."""
    deploy_wait_s: int = 0
    """How long a deploy waits for all of it. 0: as long as it takes."""
    startup_s: int = 0
    """Of that: getting the instances, loading the image and the data, writing the artifact."""

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "JobRequest":
        bucket = properties["Bucket"]
        return cls(
            prefix=properties["NamePrefix"],
            image=properties["Image"],
            instance_type=properties["InstanceType"],
            instance_count=int(properties["InstanceCount"]),
            hyperparameters=dict(properties["HyperParameters"]),
            pretrained=properties.get("Pretrained", ""),
            data=Location(bucket=bucket, prefix=properties["DataPrefix"]),
            artifacts=Location(bucket=bucket, prefix=properties["ArtifactPrefix"]),
            role_arn=properties["RoleArn"],
            volume_gib=int(properties["VolumeGiB"]),
            max_runtime_s=int(properties["MaxRuntimeSeconds"]),
            metrics=dict(properties["Metrics"]),
            tags=dict(properties.get("Tags", {})),
            fallbacks=tuple(kind for kind in properties.get("FallbackInstanceTypes", "").split(",") if kind),
            data_version=properties.get("DataVersion", ""),
            max_wait_s=int(properties.get("MaxWaitSeconds") or 0),
            deploy_wait_s=int(properties.get("DeployWaitSeconds") or 0),
            startup_s=int(properties.get("StartupSeconds") or 0),
        )

    def limited_to(self, seconds: float) -> "JobRequest":
        """The same with no more time than this: no job is paid for whose end its deploy would not see."""
        limit = int(seconds)
        return replace(self, max_runtime_s=min(self.max_runtime_s, limit), max_wait_s=min(self.max_wait_s, limit))

    def name(self, data_version: str) -> str:
        """The job's name: a hash of everything that determines its result, so that no result is paid for twice.

        Its first half is of the inputs but for the photos, the second half the first ten digits of the photos' digest.
        The source archive is part of the hyperparameters, by an
        S3 key that is its content's hash. Left out is what changes only how a job runs: its role, its volume, its time
        limit, spot or not, what is read from its log. The fallback types are left out too: a job on one of them carries
        that type in its name.
        """
        # a name that somebody chose for the photos means those in this place
        photos = data_version[:10] if is_digest(data_version) else _digest([self.data.uri, data_version])
        return f"{self.prefix}-{self._recipe_digest()}{photos}"

    def made(self, first: str) -> bool:
        """Whether this try had this recipe, on whichever photos."""
        return first.startswith(f"{self.prefix}-{self._recipe_digest()}")

    def _recipe_digest(self) -> str:
        return _digest(
            {
                "image": self.image,
                "instances": [self.instance_type, self.instance_count],
                "hyperparameters": dict(self.hyperparameters),
                "pretrained": self.pretrained,
            }
        )

    def attempts(self, first: str) -> dict[str, str]:
        """The jobs that one deploy may start, in their order, each with its instance type.

        They follow from the first one's name alone, which is the resource's physical id, so that whoever knows the id
        can find each of them; a type that is tried has one name, so it is tried once.
        """
        return {first: self.instance_type} | {
            f"{first}-on-{kind.removeprefix('ml.').replace('.', '-')}": kind for kind in self.fallbacks
        }

    def _shared_by_tries(self, job: str) -> str:
        """The name without the number of the try and the type it was moved to: a second try goes on where the first,
        stopped or failed, had got to. The script itself refuses checkpoints of another run.
        """
        return job[: len(f"{self.prefix}-") + 20]

    def arguments(self, job: str, instance_type: str) -> Json:
        """CreateTrainingJob's arguments."""
        channels = [_channel("data", self.data.uri)]
        if self.pretrained:
            channels.append(_channel("pretrained", self.pretrained))
        stopping = {"MaxRuntimeInSeconds": self.max_runtime_s}
        if self.max_wait_s:
            stopping["MaxWaitTimeInSeconds"] = self.max_wait_s
        return {
            "TrainingJobName": job,
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in self.metrics.items()],
            },
            "HyperParameters": {**self.hyperparameters, "sagemaker_job_name": job},
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": f"{self.artifacts.uri}artifacts"},
            "CheckpointConfig": {
                "S3Uri": f"{self.artifacts.uri}checkpoints/{self._shared_by_tries(job)}",
                "LocalPath": "/opt/ml/checkpoints",
            },
            "ResourceConfig": {
                "InstanceType": instance_type,
                "InstanceCount": self.instance_count,
                "VolumeSizeInGB": self.volume_gib,
            },
            "StoppingCondition": stopping,
            # an interrupted job goes on from its last checkpoint
            "EnableManagedSpotTraining": bool(self.max_wait_s),
            "EnableNetworkIsolation": False,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:10]


def _channel(name: str, uri: str) -> Json:
    # FullyReplicated: the script deals the photos out between the hosts itself
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}
