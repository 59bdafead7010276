"""The alarms on which SageMaker rolls a deployment back."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.common.metrics import EndpointMetrics
from stacks.common.runbook import with_runbook_link
from stacks.settings import ServingSettings


class RolloutAlarms(Construct):
    """Server errors and model latency of one variant.

    The endpoint refers to the alarms, and CloudFormation does not allow circular dependencies, so the alarms refer to
    the endpoint by name.
    """

    def __init__(self, scope: Construct, id: str, *, variant_name: str, settings: ServingSettings) -> None:
        super().__init__(scope, id)
        endpoint_name = settings.endpoint_name
        metrics = EndpointMetrics(endpoint_name=endpoint_name, variant_name=variant_name)
        self.errors = cloudwatch.Alarm(
            self,
            "ServerErrors",
            alarm_description=with_runbook_link(
                f"{endpoint_name} answers with server errors. A rollout in progress is rolled back.",
                "The endpoint answers with server errors",
            ),
            metric=metrics.total("Invocation5XXErrors"),
            threshold=settings.rollout.max_5xx_per_min,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self.latency = cloudwatch.Alarm(
            self,
            "SlowModel",
            alarm_description=with_runbook_link(
                f"{endpoint_name} is slow. A rollout in progress is rolled back.", "The endpoint is slow"
            ),
            metric=metrics.microseconds("ModelLatency", "p95"),
            threshold=settings.rollout.max_latency_ms * 1000,
            evaluation_periods=3,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    @property
    def all(self) -> list[cloudwatch.Alarm]:
        return [self.errors, self.latency]
