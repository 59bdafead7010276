"""Scaling activities: what was changed, or was not, and why.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html
"""

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rehearsal.cloud.api import Json
from rehearsal.cloud.autoscaling.variants import DIMENSION, NAMESPACE, Variant


@dataclass(slots=True)
class Activity:
    """An attempt to change the number of instances. The times are real ones, not the clock's."""

    variant: Variant
    cause: str
    capacity: int | None
    """The new number of instances; None if it was not changed, because of `reason`."""
    reason: str = ""
    status: str = "InProgress"
    message: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None

    def end(self, status: str, message: str) -> None:
        """It is complete."""
        self.status, self.message, self.ended = status, message, datetime.now(UTC)

    def succeed(self) -> None:
        """The endpoint is in service with the new number of instances."""
        self.end(
            "Successful",
            f"Successfully set desired instance count to {self.capacity}. Change successfully fulfilled by sagemaker.",
        )

    def fail(self, why: str) -> None:
        """SageMaker refused the change."""
        self.end("Failed", f"Failed to set desired instance count to {self.capacity}. Reason: {why}")

    def described(self) -> Json:
        """As DescribeScalingActivities shows it."""
        described: Json = {
            "ActivityId": self.id,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.variant.resource_id,
            "ScalableDimension": DIMENSION,
            "Description": (
                "Attempting to scale due to alarm triggered"
                if self.capacity is None
                else f"Setting desired instance count to {self.capacity}."
            ),
            "Cause": self.cause,
            "StartTime": self.started,
            "StatusCode": self.status,
        }
        if self.ended is not None and self.capacity is not None:
            described |= {"EndTime": self.ended, "StatusMessage": self.message}
        if self.reason:
            described["NotScaledReasons"] = [{"Code": self.reason}]
        return described


class Activities:
    """The activities of all targets, which stay after a target is deregistered."""

    def __init__(self) -> None:
        self._all: list[Activity] = []
        self._lock = threading.Lock()

    def add(self, activity: Activity) -> Activity:
        """Record one. The same reason not to scale, again and again, is recorded once."""
        with self._lock:
            same = next((each for each in reversed(self._all) if each.variant == activity.variant), None)
            if not (same and activity.reason and (same.reason, same.cause) == (activity.reason, activity.cause)):
                self._all.append(activity)
        return activity

    def described(self, resource_id: str | None, not_scaled: bool) -> list[Json]:
        """Newest first. not_scaled: with those that changed nothing."""
        with self._lock:
            return [
                each.described()
                for each in reversed(self._all)
                if resource_id in (None, each.variant.resource_id) and (not_scaled or each.capacity is not None)
            ]
