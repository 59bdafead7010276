"""Training: the SageMaker job that turns photos into a model artifact, run by `cdk deploy`."""

import hashlib
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from contract.training_container import CHECKPOINT_EVERY
from stacks.common.iam import allow
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.vpc import VpcAccess
from stacks.settings import TrainingSettings
from stacks.settings.training import RANDOM
from stacks.storage.bucket_access import BucketAccess, BucketGrant
from stacks.training.artifact import ModelArtifact
from stacks.training.image import TrainingImage
from stacks.training.job import TrainingJob
from stacks.training.job_role import JobRole
from stacks.training.packages import package_index
from stacks.training.photos import Photos
from stacks.training.registry import ModelRegistry
from stacks.training.source_archive import SourceArchive


class TrainingStack(cdk.Stack):
    """Owns the job, its role and the registry of models. Deleting it stops a running job and deletes the registered
    versions; artifacts stay in the bucket.

    If `training.model_data` is set, there is no job, and serving gets that artifact. The registry is kept.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        job_prefix: str,
        job_tags: Mapping[str, str],
        endpoint_name: str,
        storage: BucketAccess,
        telemetry: FunctionTelemetry,
        settings: TrainingSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        registry = ModelRegistry(self, "Registry", name=job_prefix, endpoint_name=endpoint_name, telemetry=telemetry)
        self.artifact = (
            self._existing(settings.model_data, storage)
            if settings.model_data
            else self._trained(job_prefix, job_tags, endpoint_name, registry, storage, telemetry, settings)
        )

    def _existing(self, uri: str, storage: BucketAccess) -> ModelArtifact:
        """An artifact that was trained elsewhere."""
        arn = f"arn:{cdk.Aws.PARTITION}:s3:::{uri.removeprefix('s3://')}"
        # the artifact may be an earlier one of the stack's own bucket
        reader = BucketGrant([allow("s3:GetObject", on=arn), *storage.key_rights("s3:GetObject")])
        return ModelArtifact(uri=uri, reader=reader, inputs_digest=_digest(uri))

    def _trained(
        self,
        job_prefix: str,
        job_tags: Mapping[str, str],
        endpoint_name: str,
        registry: ModelRegistry,
        storage: BucketAccess,
        telemetry: FunctionTelemetry,
        settings: TrainingSettings,
    ) -> ModelArtifact:
        source = SourceArchive(self, "Source")
        image = TrainingImage(self, "Image", tag=settings.image_tag)
        photos = Photos.at(settings.data_uri, storage)
        environment, rights = package_index(settings.package_index)
        role = JobRole(
            self,
            "JobRole",
            storage=storage,
            photos=photos,
            source=source,
            image=image,
            pretrained_uri=settings.weights_uri,
            job_prefix=job_prefix,
            package_rights=rights,
            vpc=VpcAccess(subnets=settings.subnets, security_groups=settings.security_groups),
        )
        job = TrainingJob(
            self,
            "TrainingJob",
            name_prefix=job_prefix,
            tags=job_tags,
            image_uri=image.uri,
            hyperparameters=hyperparameters(source, settings),
            environment=environment,
            role=role,
            storage=storage,
            photos=photos,
            telemetry=telemetry,
            registry=registry,
            endpoint_name=endpoint_name,
            settings=settings,
        )
        cdk.CfnOutput(self, "ModelVersion", value=job.model_version)
        cdk.CfnOutput(self, "ModelData", value=job.model_data)
        cdk.CfnOutput(self, "Report", value=job.report)
        cdk.CfnOutput(self, "JobName", value=job.job_name)
        cdk.CfnOutput(self, "TestAccuracy", value=job.test_accuracy)
        cdk.CfnOutput(self, "TrainedOn", value=job.trained_on)
        return ModelArtifact(
            # Weak, whatever the default is: CloudFormation rejects the change of an exported value that another stack
            # imports, and each training changes this one.
            uri=cdk.Stack.consume_reference(job.model_data, cdk.ReferenceStrength.WEAK),
            reader=storage.read_artifacts,
            inputs_digest=_digest(source.asset_hash, repr(settings)),
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def hyperparameters(source: SourceArchive, settings: TrainingSettings) -> dict[str, str]:
    """SageMaker's training toolkit reads `sagemaker_*` and passes the others to train.py as options."""
    options = {
        "sagemaker_program": "training/train.py",
        "sagemaker_submit_directory": source.s3_object_url,
        # Without it the toolkit runs the script on each host by itself: separate trainings, and no error.
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_region": cdk.Aws.REGION,
        "sagemaker_container_log_level": "20",
    }
    if settings.pretrained_uri == RANDOM:
        options["pretrained"] = RANDOM
    if settings.checkpoint_every > 1:  # the script's default
        options[CHECKPOINT_EVERY] = str(settings.checkpoint_every)
    return options | settings.arguments()
