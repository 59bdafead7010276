"""The alarms of the environment's stacks."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ops.operate.account import asking
from ops.operate.deployed import ALARM, Deployed

MOST_NAMES = 100
"""Of one DescribeAlarms."""
EXPECTED = ("HostIdle",)
"""Alarms that are no fault: the training host's stops it."""
_LINK = re.compile(r"\s*docs/runbook\.md#([\w-]+)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """As CloudWatch describes it."""

    name: str
    id: str
    """Its logical id in the template."""
    stack: str
    state: str
    reason: str
    since: datetime
    text: str
    """Its description, without the link."""
    anchor: str
    """Of its entry in the runbook."""

    @property
    def rings(self) -> bool:
        return self.state == "ALARM"

    @property
    def expected(self) -> bool:
        """Whether it says something that is no fault."""
        return self.id.startswith(EXPECTED)


def alarms(deployed: Deployed) -> list[Alarm]:
    """Every alarm that the stacks declare. Those of autoscaling are not among them. Raises AccountError."""
    declared = {each.name: each for kind in deployed.stacks for each in deployed.resources(kind, ALARM)}
    found = []
    for names in _chunks(list(declared)):
        with asking("the call that describes the alarms", needs="cloudwatch:DescribeAlarms"):
            for each in deployed.account.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]:
                text = each.get("AlarmDescription", "")
                link = _LINK.search(text)
                resource = declared[each["AlarmName"]]
                found.append(
                    Alarm(
                        name=each["AlarmName"],
                        id=resource.id,
                        stack=resource.stack,
                        state=each["StateValue"],
                        reason=" ".join(each.get("StateReason", "").split()),
                        since=each["StateUpdatedTimestamp"],
                        text=_LINK.sub("", text),
                        anchor=link[1] if link else "",
                    )
                )
    return sorted(found, key=lambda alarm: alarm.name)


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for first in itertools.count(0, MOST_NAMES):
        if first >= len(names):
            return
        yield names[first : first + MOST_NAMES]
