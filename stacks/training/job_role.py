"""The execution role of the training job."""

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.common.iam import allow, publish_metrics
from stacks.common.nag import acknowledge, wildcard
from stacks.common.trust import for_this_account
from stacks.common.vpc import VpcAccess
from stacks.storage.bucket_access import BucketAccess
from stacks.training.image import TrainingImage
from stacks.training.photos import Photos

LOGS = "/aws/sagemaker/TrainingJobs"


class JobRole(iam.Role):
    """May read the photos, the code and the image, and write artifacts, checkpoints, logs and metrics."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        storage: BucketAccess,
        photos: Photos,
        source: assets.Asset,
        image: TrainingImage,
        pretrained_uri: str,
        job_prefix: str,
        package_rights: Sequence[iam.PolicyStatement],
        vpc: VpcAccess,
    ) -> None:
        super().__init__(
            scope,
            id,
            assumed_by=for_this_account("sagemaker.amazonaws.com", source=f"sagemaker:training-job/{job_prefix}-*"),
        )
        photos.reader.to(self)
        storage.write_outputs.to(self)
        log_group = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{LOGS}"
        for right in (
            allow("s3:GetObject", on=source.bucket.arn_for_objects(source.s3_object_key)),
            *image.rights,
            allow(
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
                on=f"{log_group}:*",
            ),
            publish_metrics(LOGS),
            *(_weights(pretrained_uri) if pretrained_uri else []),
            *package_rights,
            # what SageMaker's OutputDataConfig documents for its KmsKeyId, besides the rights to read and write
            *([allow("kms:Encrypt", on=storage.key_arn)] if storage.key_arn else []),
        ):
            self.add_to_policy(right)
        acknowledge(
            self,
            "SageMaker chooses the names of its jobs' log streams. IAM defines no resource type for registry log-ins "
            "and metrics; the metrics are limited to one namespace.",
            wildcard(f"{log_group}:*", within=self),
            wildcard("*", within=self),
        )
        vpc.attach(self)


def _weights(uri: str) -> list[iam.PolicyStatement]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    arn = f"arn:{Aws.PARTITION}:s3:::{bucket}"
    return [
        allow("s3:GetObject", on=f"{arn}/{key}"),
        allow("s3:ListBucket", on=arn, conditions={"StringEquals": {"s3:prefix": key}}),
    ]
