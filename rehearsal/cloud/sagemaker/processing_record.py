"""What is known of a processing job: its request, and its status."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from rehearsal.cloud.api import Json

LONGEST_REASON = 1024
"""Of FailureReason and ExitMessage, in characters and in bytes."""
ENDED = ("Completed", "Failed", "Stopped")

_NOT_SHOWN = ("Tags",)
"""Fields of the request that DescribeProcessingJob does not repeat."""


class ProcessingRecord:
    """A processing job's state. Every method may be called from any thread.

    changed: called with the description after each change of the status, in the thread that changed it.
    """

    def __init__(self, request: Json, arn: str, changed: Callable[[Json], None] = lambda _: None) -> None:
        self.request = request
        self.name = str(request["ProcessingJobName"])
        self.arn = arn
        self._changed = changed
        self._lock = threading.RLock()
        self._created = self._modified = datetime.now(UTC)
        self._started: datetime | None = None
        self._ended: datetime | None = None
        self._status = "InProgress"
        self._failure = self._message = ""

    @property
    def status(self) -> str:
        """ProcessingJobStatus."""
        return self._status

    def start(self) -> None:
        """The container starts now."""
        with self._lock:
            self._started = self._modified = datetime.now(UTC)

    def stop(self) -> bool:
        """StopProcessingJob. Returns False if the job has ended before."""
        with self._lock:
            stops = self._status == "InProgress"
            if stops:
                self._status, self._modified = "Stopping", datetime.now(UTC)
        if stops:
            self._changed(self.describe())
        return self._status == "Stopping"

    def left_message(self, message: bytes) -> None:
        """What the container wrote for ExitMessage: the first 1 KB of it counts."""
        with self._lock:
            self._message = message[:LONGEST_REASON].decode(errors="ignore")

    def end(self, status: str, failure: str = "") -> None:
        """The job has ended. status: Completed, Failed or Stopped."""
        with self._lock:
            self._ended = self._modified = datetime.now(UTC)
            self._status, self._failure = status, failure[:LONGEST_REASON]
        self._changed(self.describe())

    def describe(self) -> Json:
        """DescribeProcessingJob's response."""
        with self._lock:
            optional = {
                "ProcessingStartTime": self._started,
                "ExitMessage": self._message,
            }
            return {
                **{field: value for field, value in self.request.items() if field not in _NOT_SHOWN},
                **self.summary(),
                **{field: value for field, value in optional.items() if value},
            }

    def summary(self) -> Json:
        """The job in ListProcessingJobs."""
        with self._lock:
            return {
                "ProcessingJobName": self.name,
                "ProcessingJobArn": self.arn,
                "CreationTime": self._created,
                "LastModifiedTime": self._modified,
                **({"ProcessingEndTime": self._ended} if self._ended else {}),
                "ProcessingJobStatus": self._status,
                **({"FailureReason": self._failure} if self._failure else {}),
            }
