"""The role that serving containers run under, and that a rollout looks at its alarms with."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.common.iam import allow, metrics
from stacks.common.nag import acknowledge
from stacks.storage.bucket_access import BucketGrant


class EndpointRole(iam.Role):
    """Reads the image and what is granted of the bucket; writes logs and metrics. Nothing else."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image_rights: Sequence[iam.PolicyStatement],
        log_group: logs.ILogGroup,
        alarms: Sequence[cloudwatch.Alarm],
        grants: Sequence[BucketGrant],
    ) -> None:
        super().__init__(scope, id, assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        for grant in grants:
            grant.to(self)
        for right in (
            *image_rights,
            allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=log_group.log_group_arn),
            metrics("/aws/sagemaker/Endpoints"),
            allow("cloudwatch:DescribeAlarms", on=[alarm.alarm_arn for alarm in alarms]),
        ):
            self.add_to_policy(right)
        acknowledge(
            self,
            "A registry log-in and a metric, which is limited to its namespace, know no resource.",
            "IAM5[Resource::*]",
        )
