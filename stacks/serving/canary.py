"""A photo every minute, and an alarm that takes a rollout back when it is not answered."""

from aws_cdk import Aws, CfnResource, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.runbook import entry
from stacks.common.telemetry import FunctionTelemetry
from stacks.serving.probe_package import package
from stacks.settings import ServingSettings

TIMEOUT_S = 30
"""More than the canary's one attempt may take (`probe/prediction.py`)."""


class EndpointCanary(Construct):
    """Asks one endpoint for the breed in a photo, whether or not there are other callers.

    It names the endpoint by its text, not by a reference: the endpoint refers to the alarm, and CloudFormation knows
    no circles. Its calls count for autoscaling: one a minute, against a target of 25 for each instance.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, settings: ServingSettings) -> None:
        super().__init__(scope, id)
        self._interval_min = settings.canary_interval_min
        endpoint_name = settings.endpoint_name
        arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:endpoint/{endpoint_name}"
        self._function = PythonFunction(
            self,
            "Function",
            description="Shows the endpoint a photo and fails where it does",
            code=package(),
            handler="probe.canary.on_schedule",
            log_group=OwnedLogGroup(self, "Logs", retention_days=settings.log_retention_days),
            timeout_s=TIMEOUT_S,
            environment={"ENDPOINT_NAME": endpoint_name},
            telemetry=telemetry,
            rights=[allow("sagemaker:InvokeEndpoint", on=arn)],
        )
        self.alarm = cloudwatch.Alarm(
            self,
            "Unanswered",
            alarm_description=entry(
                f"{endpoint_name} does not answer a photo. A rollout under way is rolled back.",
                "The endpoint does not answer the canary",
            ),
            metric=self._function.metric_errors(period=Duration.minutes(self._interval_min)),
            # Two, as a rollout must not be rolled back for one lost packet. Lambda repeats a failed call twice, which
            # adds no breach: periods are counted, not calls.
            evaluation_periods=3,
            datapoints_to_alarm=2,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def start(self, *, after: CfnResource) -> None:
        """Call it from when the endpoint is there until it goes: before and after that, it could only fail."""
        ours = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}  # not a schedule of another account
        role = iam.Role(
            self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=ours)
        )
        role.add_to_policy(allow("lambda:InvokeFunction", on=self._function.function_arn))
        unit = "minute" if self._interval_min == 1 else "minutes"
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=f"rate({self._interval_min} {unit})",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self._function.function_arn,
                role_arn=role.role_arn,
                # a call that came late would tell of another minute
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        schedule.node.add_dependency(role)
        schedule.add_resource_dependency(after)
