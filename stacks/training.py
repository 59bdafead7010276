"""Training: the job that turns photos into an artifact, on two GPU hosts, within `cdk deploy`."""

import hashlib
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.artifact import ModelArtifact
from stacks.constructs.source_archive import SourceArchive
from stacks.constructs.training_job.construct import TrainingJob
from stacks.constructs.training_job.image import TrainingImage
from stacks.constructs.training_job.role import JobRole
from stacks.settings import StorageSettings, TrainingSettings


class TrainingStack(cdk.Stack):
    """Owns the job and its role. Deleting it stops a running job; artifacts stay in the bucket.

    With `training.model_data` it trains nothing and hands that artifact on.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name_prefix: str,
        bucket: s3.IBucket,
        storage: StorageSettings,
        settings: TrainingSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        if settings.model_data:
            self.artifact = _given(settings.model_data)
        else:
            self.artifact = self._trained(name_prefix, bucket, storage, settings)

        # The record of what is served; with `model_data` it is all that the stack holds.
        ssm.StringParameter(self, "Record", string_value=self.artifact.uri, description="Artifact that Kennel serves")
        cdk.CfnOutput(self, "ModelData", value=self.artifact.uri)

    def _trained(
        self, name_prefix: str, bucket: s3.IBucket, storage: StorageSettings, settings: TrainingSettings
    ) -> ModelArtifact:
        source = SourceArchive(self, "Source")
        image = TrainingImage(self, "Image", tag=settings.image_tag)
        role = JobRole(
            self,
            "JobRole",
            bucket=bucket,
            source=source,
            image=image,
            storage=storage,
            pretrained_uri=settings.pretrained_uri,
        )
        job = TrainingJob(
            self,
            "TrainingJob",
            name_prefix=name_prefix,
            image_uri=image.uri,
            hyperparameters=hyperparameters(source, settings),
            bucket=bucket,
            role=role,
            storage=storage,
            settings=settings,
        )
        cdk.CfnOutput(self, "JobName", value=job.job_name)
        cdk.CfnOutput(self, "TestAccuracy", value=job.test_accuracy)
        return ModelArtifact(
            uri=job.model_data,
            readable_arn=bucket.arn_for_objects(f"{storage.artifact_prefix}artifacts/*"),
            recipe=_digest(source.asset_hash, repr(settings)),
        )


def _given(uri: str) -> ModelArtifact:
    readable_arn = f"arn:{cdk.Aws.PARTITION}:s3:::{uri.removeprefix('s3://')}"
    return ModelArtifact(uri=uri, readable_arn=readable_arn, recipe=_digest(uri))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def hyperparameters(source: SourceArchive, settings: TrainingSettings) -> dict[str, str]:
    """What SageMaker's toolkit reads (`sagemaker_*`) and what it passes on to train.py as options."""
    return {
        "sagemaker_program": "training/train.py",
        "sagemaker_submit_directory": source.s3_object_url,
        # Without it the toolkit starts plain Python on each host: two separate trainings, and no error.
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_region": cdk.Aws.REGION,
        "sagemaker_container_log_level": "20",
        "mode": settings.mode,
        "epochs": str(settings.epochs),
        "batch-size": str(settings.batch_size),
        "learning-rate": str(settings.learning_rate),
        "seed": str(settings.seed),
        "image-size": str(settings.image_size),
    }
