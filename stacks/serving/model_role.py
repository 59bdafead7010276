"""The execution role of the model: SageMaker uses it for the containers and to watch a rollout's alarms."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.common.iam import allow, publish_metrics
from stacks.common.nag import acknowledge
from stacks.common.trust import for_this_account
from stacks.common.vpc import VpcAccess
from stacks.storage.bucket_access import BucketGrant


class ModelRole(iam.Role):
    """May pull the image, use the granted parts of the bucket, write logs and metrics, and read the alarms' states."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image_rights: Sequence[iam.PolicyStatement],
        log_group: logs.ILogGroup,
        alarms: Sequence[cloudwatch.Alarm],
        grants: Sequence[BucketGrant],
        vpc: VpcAccess,
    ) -> None:
        super().__init__(scope, id, assumed_by=for_this_account("sagemaker.amazonaws.com"))
        for grant in grants:
            grant.to(self)
        for right in (
            *image_rights,
            allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=log_group.log_group_arn),
            publish_metrics("/aws/sagemaker/Endpoints"),
            allow("cloudwatch:DescribeAlarms", on=[alarm.alarm_arn for alarm in alarms]),
        ):
            self.add_to_policy(right)
        acknowledge(
            self,
            "IAM defines no resource type for registry log-ins and metrics; the metrics are limited to one namespace.",
            "IAM5[Resource::*]",
        )
        vpc.attach(self)
