"""The alarms on the running service, each with a link to its runbook entry."""

import math

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.common.metrics import DriftMetrics, EndpointMetrics, FunctionMetrics
from stacks.common.runbook import with_runbook_link
from stacks.settings import ApiSettings, ServingSettings


class ServiceAlarms(Construct):
    """Alarms on the endpoint and the API function. Those that roll a deployment back are in stacks/serving."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: EndpointMetrics,
        function: FunctionMetrics,
        drift: DriftMetrics | None,
        failed_events: cloudwatch.Metric,
        serving: ServingSettings,
        api: ApiSettings,
    ) -> None:
        super().__init__(scope, id)
        target = serving.scaling.target_invocations_per_min
        self.all = [
            self._alarm(
                "FleetTooSmall",
                with_runbook_link(
                    "Each instance gets more than twice its target of invocations.", "The fleet is too small"
                ),
                metric=endpoint.total("InvocationsPerInstance"),
                above=2 * target,
                minutes=_minutes_to_scale_out(serving),
            ),
            self._alarm(
                "MemoryFull",
                with_runbook_link(
                    "An instance of the endpoint uses more than 90% of its memory.", "An instance runs out of memory"
                ),
                metric=endpoint.utilisation("MemoryUtilization"),
                above=90,
                minutes=5,
            ),
            self._alarm(
                "FunctionFails",
                with_runbook_link("The function raised an exception or timed out.", "The function fails"),
                metric=function.total("Errors"),
                above=0,
                minutes=1,
            ),
            self._alarm(
                "FunctionThrottled",
                with_runbook_link("Lambda throttled calls.", "The function is throttled"),
                metric=function.total("Throttles"),
                above=0,
                minutes=1,
            ),
            self._alarm(
                "FunctionSlow",
                with_runbook_link("The p95 duration exceeds 80% of the function's timeout.", "The function is slow"),
                metric=function.of("Duration", "p95"),
                above=api.timeout_s * 1000 * 4 // 5,
                minutes=5,
            ),
            self._alarm(
                "EventFailed",
                with_runbook_link(
                    "An event or a notification could not be delivered and is in the dead-letter queue.",
                    "An event failed",
                ),
                metric=failed_events,
                above=0,
                minutes=1,
            ),
        ]
        if api.provisioned_concurrency:
            self.all.append(
                self._alarm(
                    "SpillOver",
                    with_runbook_link(
                        "Calls start cold because all provisioned concurrency is in use.",
                        "Provisioned concurrency spills over",
                    ),
                    metric=function.total("ProvisionedConcurrencySpilloverInvocations"),
                    above=0,
                    minutes=10,
                )
            )
        if drift:
            self.all.append(self._drifted(drift))

    def _drifted(self, drift: DriftMetrics) -> cloudwatch.Alarm:
        """One figure a day. A day without calls, or with too few to say, is no alarm."""
        return cloudwatch.Alarm(
            self,
            "Drifted",
            alarm_description=with_runbook_link(
                "The calls of a day differ from the test photos by more than chance.",
                "The calls differ from the test photos",
            ),
            metric=drift.of("Drift"),
            threshold=0,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _alarm(
        self, id: str, description: str, *, metric: cloudwatch.Metric, above: float, minutes: int
    ) -> cloudwatch.Alarm:
        """An alarm that goes off after `minutes` minutes in a row above the threshold. No data counts as below it."""
        return cloudwatch.Alarm(
            self,
            id,
            alarm_description=description,
            metric=metric.with_(period=Duration.minutes(1)),
            threshold=above,
            evaluation_periods=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


def _minutes_to_scale_out(serving: ServingSettings) -> int:
    """How long autoscaling may take to add an instance: its own alarm needs 3 minutes, then the instance starts."""
    return max(15, math.ceil((3 * 60 + serving.download_timeout_s + serving.startup_timeout_s) / 60))
