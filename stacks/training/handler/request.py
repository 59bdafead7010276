"""The inputs of a training job, read from the custom resource's properties, and the name that they determine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contract.photos import is_digest
from contract.training_container import ARGUMENTS, CHECKPOINT_EVERY, ENTRY_POINT
from contract.weights import identity

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
    """The inputs of one training job."""

    prefix: str
    """The start of the job's name."""
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
    """Instance types to try, in this order, where AWS has no capacity for `instance_type`."""
    kms_key: str = ""
    """ARN of the key with which S3 encrypts the artifact. Empty: the bucket's default."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the container."""
    subnets: tuple[str, ...] = ()
    """Empty: SageMaker's own network."""
    security_groups: tuple[str, ...] = ()
    data_version: str = ""
    """Digest of the photos, or a name that the operator chose for them. Empty: the handler computes the digest."""
    max_wait_s: int = 0
    """MaxWaitTimeInSeconds of managed spot training, which includes the wait for instances. 0: on demand."""
    deploy_wait_s: int = 0
    """Seconds that a deploy waits for the result. 0: no limit."""
    startup_s: int = 0
    """Of these, seconds to start the instances, load the image and the data, and write the artifact."""
    model_group: str = ""
    """Model package group in which the artifact is registered. Empty: properties of an earlier version of Kennel."""
    endpoint: str = ""
    """The endpoint that may serve an earlier model."""
    least_accuracy: float = 0.0
    accuracy_tolerance: float = 1.0
    """By how much the accuracy may be lower than the serving model's."""

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "JobRequest":
        """From the properties, each of which CloudFormation converts to a string."""
        bucket = properties["Bucket"]
        return cls(
            prefix=properties["NamePrefix"],
            image=properties["Image"],
            instance_type=properties["InstanceType"],
            instance_count=int(properties["InstanceCount"]),
            hyperparameters=dict(properties["HyperParameters"]),
            pretrained=properties.get("Pretrained", ""),
            data=Location(bucket=properties.get("DataBucket", bucket), prefix=properties["DataPrefix"]),
            artifacts=Location(bucket=bucket, prefix=properties["ArtifactPrefix"]),
            role_arn=properties["RoleArn"],
            volume_gib=int(properties["VolumeGiB"]),
            max_runtime_s=int(properties["MaxRuntimeSeconds"]),
            metrics=dict(properties["Metrics"]),
            tags=dict(properties.get("Tags", {})),
            fallbacks=tuple(kind for kind in properties.get("FallbackInstanceTypes", "").split(",") if kind),
            kms_key=properties.get("KmsKey", ""),
            environment=dict(properties.get("Environment", {})),
            subnets=tuple(properties.get("Subnets", ())),
            security_groups=tuple(properties.get("SecurityGroups", ())),
            data_version=properties.get("DataVersion", ""),
            max_wait_s=int(properties.get("MaxWaitSeconds") or 0),
            deploy_wait_s=int(properties.get("DeployWaitSeconds") or 0),
            startup_s=int(properties.get("StartupSeconds") or 0),
            model_group=properties.get("ModelGroup", ""),
            endpoint=properties.get("EndpointName", ""),
            least_accuracy=float(properties.get("LeastAccuracy", 0)),
            accuracy_tolerance=float(properties.get("AccuracyTolerance", 1)),
        )

    def limited_to(self, seconds: float) -> "JobRequest":
        """The same job with at most this time limit, so that it ends before its deploy stops waiting."""
        limit = int(seconds)
        return replace(self, max_runtime_s=min(self.max_runtime_s, limit), max_wait_s=min(self.max_wait_s, limit))

    def name(self, data_version: str) -> str:
        """The job's name: a hash of all inputs that determine the result, so that no result is paid for twice.

        The first ten digits are a digest of code, options, image, instances and weights; the source archive is among
        the hyperparameters, by an S3 key that is the hash of its content. The second ten are the start of the photos'
        digest. Left out is what changes no result: role, volume, key, network, package index (the packages have
        hashes), time limit, spot or on demand, checkpoints, metrics, and the accuracy that is asked of it. A job on a
        fallback type has that type in its name.
        """
        # a name that the operator chose means the photos at this address
        photos = data_version[:10] if is_digest(data_version) else _digest([self.data.uri, data_version])
        return f"{self.inputs_name}{photos}"

    @property
    def inputs_name(self) -> str:
        """The start of the job's name, which does not depend on the photos."""
        return f"{self.prefix}-{self._inputs_digest()}"

    def has_same_inputs(self, first: str) -> bool:
        """Whether this attempt had the same inputs, whichever photos it was trained on."""
        return first.startswith(self.inputs_name)

    def _inputs_digest(self) -> str:
        hyperparameters = {name: value for name, value in self.hyperparameters.items() if name != CHECKPOINT_EVERY}
        return _digest(
            {
                "image": self.image,
                "instances": [self.instance_type, self.instance_count],
                "hyperparameters": hyperparameters,
                "pretrained": identity(self.pretrained, self.artifacts.bucket),
            }
        )

    def job_names(self, first: str) -> dict[str, str]:
        """The jobs of one attempt in the order in which they are tried, each with its instance type.

        They follow from the name of the first one alone, which is the resource's physical id, so a Delete finds all of
        them. Each type has one name, so it is tried once.
        """
        return {first: self.instance_type} | {
            f"{first}-on-{kind.removeprefix('ml.').replace('.', '-')}": kind for kind in self.fallbacks
        }

    def _shared_by_attempts(self, job: str) -> str:
        """The name without the attempt's number and the fallback type: a second attempt resumes from the checkpoints of
        the first. The training script ignores checkpoints of another run.
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
        vpc = {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}
        return {
            "TrainingJobName": job,
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                # the image's own start script fails in part (docs/decisions/0070-how-the-job-starts.md)
                "ContainerEntrypoint": list(ENTRY_POINT),
                "ContainerArguments": list(ARGUMENTS),
                "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in self.metrics.items()],
            },
            "HyperParameters": {**self.hyperparameters, "sagemaker_job_name": job},
            "InputDataConfig": channels,
            "OutputDataConfig": {
                "S3OutputPath": f"{self.artifacts.uri}artifacts",
                # otherwise SageMaker names AWS's own key for S3, whatever the bucket's default is
                **({"KmsKeyId": self.kms_key} if self.kms_key else {}),
            },
            "CheckpointConfig": {
                "S3Uri": f"{self.artifacts.uri}checkpoints/{self._shared_by_attempts(job)}",
                "LocalPath": "/opt/ml/checkpoints",
            },
            "ResourceConfig": {
                "InstanceType": instance_type,
                "InstanceCount": self.instance_count,
                # No VolumeKmsKeyId: SageMaker refuses it for the local disks of a g4dn, which the hardware encrypts.
                "VolumeSizeInGB": self.volume_gib,
            },
            **({"Environment": dict(self.environment)} if self.environment else {}),
            **({"VpcConfig": vpc} if self.subnets else {}),
            "StoppingCondition": stopping,
            # SageMaker restarts an interrupted job, which resumes from its last checkpoint
            "EnableManagedSpotTraining": bool(self.max_wait_s),
            "EnableNetworkIsolation": False,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:10]


def _channel(name: str, uri: str) -> Json:
    # FullyReplicated: the training script shards the photos over the hosts itself
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}
