"""The role that training containers run under."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.constructs.policy import allow, metrics
from stacks.constructs.training_job.image import TrainingImage
from stacks.settings import StorageSettings

LOGS = "/aws/sagemaker/TrainingJobs"


class JobRole(iam.Role):
    """Reads the photos, the code and the image; writes artifacts, checkpoints, logs and metrics. Nothing else."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: s3.IBucket,
        source: assets.Asset,
        image: TrainingImage,
        storage: StorageSettings,
        pretrained_uri: str,
    ) -> None:
        super().__init__(scope, id, assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        data, artifacts = (
            bucket.arn_for_objects(f"{prefix}*") for prefix in (storage.data_prefix, storage.artifact_prefix)
        )
        log_group = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{LOGS}"
        readable = [data, source.bucket.arn_for_objects(source.s3_object_key)]
        listable = [f"{storage.data_prefix}*", f"{storage.artifact_prefix}*"]
        if pretrained_uri:
            where = pretrained_uri.removeprefix("s3://")
            readable.append(f"arn:{Aws.PARTITION}:s3:::{where}")
            self.add_to_policy(
                allow(
                    "s3:ListBucket",
                    on=f"arn:{Aws.PARTITION}:s3:::{where.partition('/')[0]}",
                    conditions={"StringEquals": {"s3:prefix": where.partition("/")[2]}},
                )
            )
        for right in (
            allow("s3:GetObject", on=readable),
            allow("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", on=artifacts),
            allow("s3:ListBucket", on=bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": listable}}),
            *image.rights,
            allow("logs:CreateLogGroup", "logs:DescribeLogStreams", on=f"{log_group}:*"),
            allow("logs:CreateLogStream", "logs:PutLogEvents", on=f"{log_group}:log-stream:*"),
            metrics(LOGS),
        ):
            self.add_to_policy(right)
