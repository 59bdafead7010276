"""Monitoring: a dashboard, alarms, event notifications and a budget."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.common.metrics import EndpointMetrics, FunctionMetrics, failed_events
from stacks.common.telemetry import FunctionTelemetry
from stacks.monitoring.alarms import ServiceAlarms
from stacks.monitoring.alert_topic import AlertTopic
from stacks.monitoring.budget import MonthlyBudget
from stacks.monitoring.dashboard import ServiceDashboard
from stacks.monitoring.notifications import EventNotifications
from stacks.settings import Settings


class MonitoringStack(cdk.Stack):
    """Owns the alerts and the dashboard. No other stack depends on it: without it they run on, unmonitored."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function_name: str,
        alias: str,
        variant_name: str,
        telemetry: FunctionTelemetry,
        watched_stacks: list[str],
        settings: Settings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        endpoint_name = settings.serving.endpoint_name
        endpoint = EndpointMetrics(endpoint_name=endpoint_name, variant_name=variant_name)
        function = FunctionMetrics(function_name=function_name, alias=alias)

        alerts = AlertTopic(self, "Alerts", telemetry=telemetry, email=settings.monitoring.email)
        alarms = ServiceAlarms(
            self,
            "Alarms",
            endpoint=endpoint,
            function=function,
            failed_events=failed_events(queue_name=telemetry.queue_name),
            serving=settings.serving,
            api=settings.api,
        )
        for alarm in alarms.all:
            alarm.add_alarm_action(alerts.action)
        EventNotifications(
            self,
            "Notices",
            alerts=alerts,
            telemetry=telemetry,
            job_prefix=f"{settings.project.name}-",
            endpoint_name=endpoint_name,
            alarm_prefixes=[f"{stack}-" for stack in watched_stacks],
        )
        if settings.monitoring.monthly_budget_usd:
            MonthlyBudget(self, "Budget", limit_usd=settings.monitoring.monthly_budget_usd, alerts=alerts)
        # With the region in its name: dashboard names are unique within an account, across its regions.
        dashboard = f"{settings.project.name}-{cdk.Aws.REGION}"
        ServiceDashboard(
            self,
            "Dashboard",
            name=dashboard,
            project=settings.project.name,
            endpoint=endpoint,
            function=function,
            alarms=alarms.all,
            serving=settings.serving,
            api=settings.api,
        )

        console = f"https://{cdk.Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region={cdk.Aws.REGION}"
        cdk.CfnOutput(self, "DashboardUrl", value=f"{console}#dashboards/dashboard/{dashboard}")
        cdk.CfnOutput(self, "AlertTopicArn", value=alerts.topic.topic_arn)
