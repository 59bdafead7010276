"""Events of CloudFormation: which of them is the root cause of a failed operation."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CANCELLED = ("cancelled", "canceled")
"""In the reason of a resource that CloudFormation gave up because of another one's failure."""
_STACK_TRACE = re.compile(r" at \S+ \(\S+\.js:\d+:\d+\).*")
"""Of CDK's provider function, after the error of a custom resource: it says where in that function, not what failed."""
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")


@dataclass(frozen=True, kw_only=True, slots=True)
class RootCause:
    """The first resource that failed in an operation, for a reason of its own."""

    at: datetime
    stack: str
    id: str
    """The logical id of the resource."""
    type: str
    status: str
    """Such as CREATE_FAILED."""
    reason: str
    """AWS's own words."""


def is_failure(event: Mapping[str, Any]) -> bool:
    """Whether a resource failed for a reason of its own: not the stack, and not because another one failed."""
    reason = event.get("ResourceStatusReason", "").lower()
    own = event["PhysicalResourceId"] != event["StackId"]
    return bool(event["ResourceStatus"].endswith("_FAILED") and own and not any(word in reason for word in CANCELLED))


def last_operation(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events of the stack's last operation with its rollback, the newest one first. events: in that order."""
    found = []
    for event in events:
        found.append(event)
        of_the_stack = event["PhysicalResourceId"] == event["StackId"]
        if of_the_stack and event["ResourceStatus"] in _BEGINNINGS:
            break
    return found


def root_cause(events: Iterable[Mapping[str, Any]]) -> RootCause | None:
    """The earliest failure of the last operation; None if no resource failed. events: the newest one first."""
    failures = [event for event in last_operation(events) if is_failure(event)]
    if not failures:
        return None
    first = failures[-1]
    return RootCause(
        at=first["Timestamp"],
        stack=first["StackName"],
        id=first["LogicalResourceId"],
        type=first["ResourceType"],
        status=first["ResourceStatus"],
        reason=_STACK_TRACE.sub("", " ".join(first.get("ResourceStatusReason", "").split())),
    )
