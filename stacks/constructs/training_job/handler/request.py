"""What a job is made of, read from the custom resource's properties, and the name that this determines."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        )

    def name(self, data_digest: str) -> str:
        """The job's name: a hash of everything that determines its result, so that no result is paid for twice.

        The source archive is part of the hyperparameters, by an S3 key that is its content's hash. Left out is what
        changes only how a job runs: its role, its volume, its time limit, what is read from its log.
        """
        recipe = {
            "image": self.image,
            "instances": [self.instance_type, self.instance_count],
            "hyperparameters": dict(self.hyperparameters),
            "pretrained": self.pretrained,
            "data": [self.data.uri, data_digest],
        }
        canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
        return f"{self.prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:20]}"

    def artifact_key(self, job: str) -> str:
        """Where SageMaker puts a job's artifact under the output path that `arguments` names."""
        return f"{self.artifacts.prefix}artifacts/{job}/output/model.tar.gz"

    def arguments(self, job: str) -> Json:
        """CreateTrainingJob's arguments."""
        channels = [_channel("data", self.data.uri)]
        if self.pretrained:
            channels.append(_channel("pretrained", self.pretrained))
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
                "S3Uri": f"{self.artifacts.uri}checkpoints/{job}",
                "LocalPath": "/opt/ml/checkpoints",
            },
            "ResourceConfig": {
                "InstanceType": self.instance_type,
                "InstanceCount": self.instance_count,
                "VolumeSizeInGB": self.volume_gib,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_s},
            "EnableNetworkIsolation": False,
            "Tags": [{"Key": "project", "Value": self.prefix}],
        }


def _channel(name: str, uri: str) -> Json:
    # FullyReplicated: the script splits the data between the hosts itself, by a DistributedSampler
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}
