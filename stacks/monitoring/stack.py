"""Monitoring: the alert topic, alarms, event notifications, a dashboard, and the dead-letter queue of all stacks."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.common.metrics import DriftMetrics, EndpointMetrics, FunctionMetrics, RequestMetrics, failed_events
from stacks.common.telemetry import FunctionTelemetry
from stacks.monitoring.alarms import ServiceAlarms
from stacks.monitoring.alert_topic import AlertTopic
from stacks.monitoring.dashboard import ServiceDashboard
from stacks.monitoring.notifications import EventNotifications
from stacks.settings import ApiSettings, MonitoringSettings, ServingSettings


class MonitoringStack(cdk.Stack):
    """Owns the alerts, the dashboard and the dead-letter queue. Deleting it alone leaves the others unmonitored.

    It is deployed first, so that alerts exist before anything is billed, and refers to what it watches by literal
    names. A metric without data is no alarm.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        dashboard_prefix: str,
        job_prefix: str,
        function_name: str,
        alias: str,
        variant_name: str,
        watched_stacks: list[str],
        serving: ServingSettings,
        api: ApiSettings,
        settings: MonitoringSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        endpoint = EndpointMetrics(endpoint_name=serving.endpoint_name, variant_name=variant_name)
        function = FunctionMetrics(function_name=function_name, alias=alias)
        drift = DriftMetrics(endpoint_name=serving.endpoint_name) if settings.drift.daily else None

        self.telemetry = FunctionTelemetry(self, "Functions")
        self.alerts = AlertTopic(self, "Alerts", telemetry=self.telemetry, email=settings.email)
        alarms = ServiceAlarms(
            self,
            "Alarms",
            endpoint=endpoint,
            function=function,
            drift=drift,
            failed_events=failed_events(queue_name=self.telemetry.queue_name),
            serving=serving,
            api=api,
        )
        for alarm in alarms.all:
            alarm.add_alarm_action(self.alerts.action)
        EventNotifications(
            self,
            "Notices",
            alerts=self.alerts,
            telemetry=self.telemetry,
            job_prefix=f"{job_prefix}-",
            endpoint_name=serving.endpoint_name,
            checks_drift=settings.drift.daily,
            alarm_prefixes=[f"{stack}-" for stack in watched_stacks],
        )
        # With the region in its name: dashboard names are unique within an account, across its regions.
        dashboard = f"{dashboard_prefix}-{cdk.Aws.REGION}"
        ServiceDashboard(
            self,
            "Dashboard",
            name=dashboard,
            job_prefix=job_prefix,
            endpoint=endpoint,
            function=function,
            requests=RequestMetrics(function_name=function_name),
            drift=drift,
            alarms=alarms.all,
            serving=serving,
            api=api,
        )

        console = f"https://{cdk.Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region={cdk.Aws.REGION}"
        cdk.CfnOutput(self, "DashboardUrl", value=f"{console}#dashboards/dashboard/{dashboard}")
        cdk.CfnOutput(self, "AlertTopicArn", value=self.alerts.topic.topic_arn)
