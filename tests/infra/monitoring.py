"""Reads the dashboard, the alarms and the event rules from the templates."""

import json
from collections.abc import Iterator
from typing import Any

from tests.infra.conftest import Assembly
from tests.infra.templates import joined


def widgets(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Title to properties, for each widget of the dashboard."""
    body = json.loads(joined(assembly.only("AWS::CloudWatch::Dashboard")["DashboardBody"]))
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def alarms(assembly: Assembly) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Stack, logical id and properties of each alarm."""
    for stack, logical_id, alarm in assembly.resources("AWS::CloudWatch::Alarm"):
        yield stack, logical_id, alarm["Properties"]


def alarm(assembly: Assembly, name: str) -> dict[str, Any]:
    """The alarm of the monitoring stack with this construct id."""
    (found,) = [
        properties
        for stack, logical_id, properties in alarms(assembly)
        if stack == "Monitoring" and logical_id.removeprefix("Alarms")[:-8] == name
    ]
    return found


def rules(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Construct id to properties, for each event rule of the monitoring stack."""
    return {
        logical_id.removeprefix("Notices")[:-8]: rule["Properties"]
        for stack, logical_id, rule in assembly.resources("AWS::Events::Rule")
        if stack == "Monitoring"
    }


def rollback_alarm(assembly: Assembly, metric: str) -> dict[str, Any]:
    """The alarm of the serving stack on this metric."""
    (found,) = [
        alarm["Properties"]
        for stack, _, alarm in assembly.resources("AWS::CloudWatch::Alarm")
        if stack == "Serving" and alarm["Properties"]["MetricName"] == metric
    ]
    properties: dict[str, Any] = found
    return properties
