"""The daily drift check: a schedule, the function that starts the job, and the roles of both."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Aws, CfnResource, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.common.function import PythonFunction, function_role
from stacks.common.iam import allow, pass_role
from stacks.common.log_group import OwnedLogGroup
from stacks.common.metrics import DriftMetrics, FunctionMetrics
from stacks.common.nag import acknowledge, wildcard
from stacks.common.runbook import with_runbook_link
from stacks.common.sources import sources
from stacks.common.staging import python_code
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.trust import for_this_account
from stacks.common.vpc import VpcAccess
from stacks.settings import DriftSettings, ServingSettings
from stacks.storage.bucket_access import BucketAccess, BucketGrant
from stacks.training.artifact import ModelArtifact

SAGEMAKER = "sagemaker.amazonaws.com"
LOGS = "/aws/sagemaker/ProcessingJobs"
AT = "cron(0 3 * * ? *)"
"""Three hours after the day has ended in UTC: SageMaker writes captured calls some minutes late."""
TIMEOUT_S = 300
"""It lists the objects of a day, 1,000 in a call."""


class DailyDriftCheck(Construct):
    """Compares each day's captured calls with the test photos, in a processing job on the serving image.

    The job's metrics are in its log; the alarm on them is in the monitoring stack, which refers to them by name.
    Deleting this ends the checks; the reports expire with the captured calls
    (docs/decisions/0126-drift-in-a-daily-job.md).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        variant: str,
        job_prefix: str,
        tags: Mapping[str, str],
        image_uri: str,
        image_rights: Sequence[iam.PolicyStatement],
        artifact: ModelArtifact,
        storage: BucketAccess,
        vpc: VpcAccess,
        endpoint: CfnResource,
        telemetry: FunctionTelemetry,
        serving: ServingSettings,
        settings: DriftSettings,
    ) -> None:
        super().__init__(scope, id)
        self._storage = storage
        self._captured = f"{serving.capture.prefix}{serving.endpoint_name}/{variant}/"
        self._reports = f"{serving.capture.prefix}drift/{serving.endpoint_name}/"
        self._jobs = f"processing-job/{job_prefix}-drift-*"
        job_role = self._job_role(image_rights, artifact, vpc)
        log_group = OwnedLogGroup(self, "Logs", retention_days=serving.log_retention_days)
        function = PythonFunction(
            self,
            "Function",
            description="Starts the job that compares yesterday's calls with the test photos",
            code=python_code(sources(Path(__file__).parent, packages=["drift_job"])),
            handler="drift_job.start.on_schedule",
            log_group=log_group,
            role=self._function_role(log_group, job_role, serving.endpoint_name),
            timeout_s=TIMEOUT_S,
            environment={
                "ENDPOINT_NAME": serving.endpoint_name,
                "VARIANT": variant,
                "BUCKET": storage.bucket.bucket_name,
                "CAPTURE_PREFIX": serving.capture.prefix,
                "REPORT_PREFIX": self._reports,
                "IMAGE": image_uri,
                "JOB_ROLE": job_role.role_arn,
                "INSTANCE_TYPE": settings.instance_type,
                "JOB_PREFIX": job_prefix,
                "NAMESPACE": DriftMetrics.namespace,
                **({"KMS_KEY": storage.key_arn} if storage.key_arn else {}),
                **({"SUBNETS": " ".join(vpc.subnets)} if vpc else {}),
                **({"SECURITY_GROUPS": " ".join(vpc.security_groups)} if vpc else {}),
                "TAGS": json.dumps(dict(tags)),
            },
            telemetry=telemetry,
        )
        function.node.add_dependency(job_role)
        self._alarm(function)
        self._schedule(function, after=endpoint)

    def _job_role(
        self, image_rights: Sequence[iam.PolicyStatement], artifact: ModelArtifact, vpc: VpcAccess
    ) -> iam.Role:
        """May read the captured calls, the artifact and the image, and write the report and the log."""
        role = iam.Role(self, "JobRole", assumed_by=for_this_account(SAGEMAKER, source=f"sagemaker:{self._jobs}"))
        artifact.reader.to(role)
        arn = self._storage.arn
        captured, reports = f"{arn}/{self._captured}*", f"{arn}/{self._reports}*"
        listed = {"StringLike": {"s3:prefix": [f"{self._captured}*", f"{self._reports}*"]}}
        BucketGrant(
            [
                # AWS gives it to a processing job's role, on the bucket of the job's inputs:
                # https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
                # ("CreateProcessingJob API: Execution Role Permissions")
                allow("s3:ListBucket", on=arn, conditions=listed),
                allow("s3:GetObject", on=[captured, reports]),
                allow("s3:PutObject", "s3:AbortMultipartUpload", on=reports),
                *self._storage.key_rights("s3:GetObject", "s3:PutObject"),
                # what SageMaker documents for the KmsKeyId of an output, besides the rights to read and write
                *([allow("kms:Encrypt", on=self._storage.key_arn)] if self._storage.key_arn else []),
            ],
            objects=[captured, reports],
        ).to(role)
        lines = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{LOGS}:*"
        for right in (
            *image_rights,
            allow(
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
                on=lines,
            ),
        ):
            role.add_to_policy(right)
        acknowledge(
            role,
            "SageMaker chooses the names of its jobs' log streams. IAM defines no resource type for registry log-ins.",
            wildcard(lines, within=role),
            wildcard("*", within=role),
        )
        vpc.attach(role)
        return role

    def _function_role(self, log_group: OwnedLogGroup, job_role: iam.Role, endpoint_name: str) -> iam.Role:
        jobs, configs, models = map(_sagemaker, (self._jobs, "endpoint-config/*", "model/*"))
        arn = self._storage.arn
        manifests = f"{arn}/{self._reports}*"
        role = function_role(
            self,
            "FunctionRole",
            log_group=log_group,
            rights=[
                allow("sagemaker:AddTags", "sagemaker:CreateProcessingJob", on=jobs),
                pass_role(job_role, SAGEMAKER),
                allow("sagemaker:DescribeEndpoint", on=_sagemaker(f"endpoint/{endpoint_name}")),
                allow("sagemaker:DescribeEndpointConfig", on=configs),
                allow("sagemaker:DescribeModel", on=models),
                allow("s3:ListBucket", on=arn, conditions={"StringLike": {"s3:prefix": f"{self._captured}*"}}),
                allow("s3:PutObject", on=manifests),
                *self._storage.key_rights("s3:PutObject"),
            ],
        )
        acknowledge(
            role,
            "A job's name ends in its day. CloudFormation and `kennel rollback` name the model and the configuration "
            "of the endpoint. The last wildcard covers the objects under one prefix.",
            *(wildcard(arn, within=role) for arn in (jobs, configs, models, manifests)),
        )
        return role

    def _alarm(self, function: PythonFunction) -> None:
        """The monitoring stack announces alarms of this stack, and the jobs that fail."""
        cloudwatch.Alarm(
            self,
            "NotStarted",
            alarm_description=with_runbook_link(
                "The function that starts the daily drift check failed.", "The drift check failed"
            ),
            metric=FunctionMetrics(function_name=function.function_name)
            .total("Errors")
            .with_(period=Duration.minutes(5)),
            evaluation_periods=1,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _schedule(self, function: PythonFunction, *, after: CfnResource) -> None:
        """Once a day, while the endpoint exists."""
        scheduler_service = for_this_account("scheduler.amazonaws.com", source="scheduler:schedule-group/default")
        role = iam.Role(self, "ScheduleRole", assumed_by=scheduler_service)
        role.add_to_policy(allow("lambda:InvokeFunction", on=function.function_arn))
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=AT,  # in UTC, as the folders of captured calls are
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(arn=function.function_arn, role_arn=role.role_arn),
        )
        schedule.node.add_dependency(role)
        schedule.add_resource_dependency(after)


def _sagemaker(resource: str) -> str:
    return f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
