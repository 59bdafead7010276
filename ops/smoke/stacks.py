"""The environment's stacks in the account: their states, their outputs, and what AWS refused in them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.operate.stack_events import is_failure

POLL_S = 5
SETTLE_S = 45 * 60
"""How long a stack may take to end what it is doing: an endpoint that is rolled back takes many minutes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that AWS refused to do."""

    step: str
    what: str
    """The resource, such as `kennel-smoke-serving: AWS::SageMaker::Endpoint (Endpoint)`."""
    reason: str
    """AWS's own words."""


class Stacks:
    """The stacks whose names start with a prefix, such as kennel-smoke."""

    def __init__(self, cloudformation: Any, prefix: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = cloudformation
        self._prefix = prefix
        self._sleep = sleep

    def states(self) -> dict[str, str]:
        """The stacks that exist, and the state of each."""
        pages = self._client.get_paginator("describe_stacks").paginate()
        stacks = [stack for page in pages for stack in page["Stacks"]]
        return {
            stack["StackName"]: stack["StackStatus"]
            for stack in stacks
            if stack["StackName"].startswith(f"{self._prefix}-") and stack["StackStatus"] != "DELETE_COMPLETE"
        }

    def output(self, kind: str, name: str) -> str:
        """An output of a stack, such as the storage stack's BucketName. Raises LookupError if it has none."""
        stack = self._client.describe_stacks(StackName=f"{self._prefix}-{kind}")["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if name not in outputs:
            raise LookupError(f"The stack {self._prefix}-{kind} has no output {name}.")
        found: str = outputs[name]
        return found

    def refused(self, step: str, since: datetime) -> list[Refused]:
        """What AWS refused in these stacks since a moment, the first one first."""
        found = []
        for summary in self._summaries():
            if summary.get("DeletionTime", since) < since:
                continue
            for event in self._events(summary["StackId"]):
                if event["Timestamp"] >= since and is_failure(event):
                    what = f"{event['StackName']}: {event['ResourceType']} ({event['LogicalResourceId']})"
                    found.append((event["Timestamp"], Refused(step, what, event.get("ResourceStatusReason", ""))))
        return [refused for _, refused in sorted(found, key=lambda each: each[0])]

    def settle(self) -> None:
        """Wait until no stack changes, so that each can be deleted. An update that runs is cancelled."""
        cancelled: set[str] = set()
        for _ in range(SETTLE_S // POLL_S):
            busy = {
                name: state
                for name, state in self.states().items()
                if state.endswith("_IN_PROGRESS") and state not in ("REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS")
            }
            if not busy:
                return
            for name, state in busy.items():
                if state == "UPDATE_IN_PROGRESS" and name not in cancelled:
                    cancelled.add(name)
                    self._cancel(name)
            self._sleep(POLL_S)

    def _cancel(self, name: str) -> None:
        try:
            self._client.cancel_update_stack(StackName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":  # the update has ended meanwhile
                raise

    def _summaries(self) -> list[dict[str, Any]]:
        """Every stack of the prefix, the deleted ones of the last 90 days included."""
        pages = self._client.get_paginator("list_stacks").paginate()
        summaries = [summary for page in pages for summary in page["StackSummaries"]]
        return [summary for summary in summaries if summary["StackName"].startswith(f"{self._prefix}-")]

    def _events(self, stack_id: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        return [event for page in pages for event in page["StackEvents"]]
