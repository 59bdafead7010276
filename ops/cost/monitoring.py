"""Alarms, the dashboard and the mails."""

import json
import re
from collections.abc import Iterator

from ops.cost.assumptions import Assumptions
from ops.cost.charge import Charge, Usage, standing
from ops.cost.templates import Resource, Templates

MAILS = Usage(expected=20, worst=1000)
"""Alerts in a month."""


def alarm(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """An alarm is billed for each metric that it reads; a period below a minute costs more, and Kennel has none."""
    del app, given
    metrics = [query for query in resource.properties.get("Metrics", []) if "MetricStat" in query]
    what = re.sub(r"[0-9A-F]{8}$", "", resource.id)
    yield Charge(what=f"alarm: {what}", price="cloudwatch.alarm", usage=standing(max(1, len(metrics))))


def dashboard(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """The dashboard, and the metrics on it that the function writes: each is billed for the hours with requests."""
    del app, given
    yield Charge(what="dashboard", price="cloudwatch.dashboard", usage=standing(1))
    body = json.dumps(resource.properties.get("DashboardBody", "")).replace("\\", "")
    written = set(re.findall(r'\["Kennel","(\w+)"', body))
    if written:
        usage = Usage(expected=len(written), worst=len(written))
        yield Charge(what="metrics of the requests", price="cloudwatch.metric", usage=usage)


def topic(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del resource, app, given
    yield Charge(what="alerts by mail", price="sns.email", usage=MAILS * 1e-3)
