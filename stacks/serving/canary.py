"""A scheduled prediction, and the alarm on its failures that rolls a deployment back."""

from aws_cdk import Aws, CfnResource, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.metrics import FunctionMetrics
from stacks.common.runbook import with_runbook_link
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.trust import for_this_account
from stacks.serving.probe_package import package
from stacks.settings import ServingSettings

TIMEOUT_S = 30
"""Longer than the canary's single attempt can take (the timeouts in `probe/prediction.py`)."""


class EndpointCanary(Construct):
    """A Lambda function that invokes the endpoint with one photo at a fixed interval, and an alarm on its errors.

    It gives every rollout traffic, so that the alarms detect a bad model even when no caller sends a request. Deleting
    it leaves the endpoint without that alarm. Autoscaling counts its calls: one per minute, of a target of 25.

    The endpoint refers to the alarm, and CloudFormation does not allow circular dependencies, so the canary refers to
    the endpoint by name.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, settings: ServingSettings) -> None:
        super().__init__(scope, id)
        self._interval_min = settings.canary_interval_min
        endpoint_name = settings.endpoint_name
        arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:endpoint/{endpoint_name}"
        self._function = PythonFunction(
            self,
            "Function",
            description="Invokes the endpoint with one photo and fails if the endpoint fails",
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
            alarm_description=with_runbook_link(
                f"The canary gets no prediction from {endpoint_name}. A rollout in progress is rolled back.",
                "The endpoint does not answer the canary",
            ),
            metric=FunctionMetrics(function_name=self._function.function_name)
            .total("Errors")
            .with_(period=Duration.minutes(self._interval_min)),
            # Two periods of three, so that one lost packet does not roll a deployment back. Lambda retries a failed
            # asynchronous call twice; that adds no datapoint, since the alarm counts periods and not calls.
            evaluation_periods=3,
            datapoints_to_alarm=2,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def schedule(self, *, after: CfnResource) -> None:
        """Invoke the function while the endpoint exists: create the schedule after it and delete it before it."""
        # the schedule's group: the service does not say which schedule it acts for
        scheduler_service = for_this_account("scheduler.amazonaws.com", source="scheduler:schedule-group/default")
        role = iam.Role(self, "ScheduleRole", assumed_by=scheduler_service)
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
                # a retry would report on a later minute
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        schedule.node.add_dependency(role)
        schedule.add_resource_dependency(after)
