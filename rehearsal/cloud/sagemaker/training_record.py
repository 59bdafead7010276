"""What is known of a training job: its request, and the statuses that it went through."""

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from rehearsal.cloud.api import Json

FAILURE_CHARACTERS = 1024
"""FailureReason is at most this long."""
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image and the input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Completed": "Training job completed",
}
ENDED = ("Completed", "Failed", "Stopped")

_NOT_SHOWN = ("SessionChainingConfig", "Tags")
"""Fields of the request that DescribeTrainingJob does not repeat."""


class TrainingRecord:
    """A training job's state. Every method may be called from any thread.

    changed: called with the description after each change of a status, in the thread that changed it.
    """

    def __init__(self, request: Json, arn: str, changed: Callable[[Json], None] = lambda _: None) -> None:
        self.request = request
        self.name = str(request["TrainingJobName"])
        self.arn = arn
        self._changed = changed
        self._lock = threading.RLock()
        now = datetime.now(UTC)
        self._created = self._modified = now
        self._started: datetime | None = None
        self._ended: datetime | None = None
        self._status = "InProgress"
        self._secondary = "Starting"
        self._failure = ""
        self._transitions: list[Json] = [_transition("Starting", now)]
        self._metrics: dict[str, Json] = {}

    @property
    def status(self) -> str:
        """TrainingJobStatus."""
        return self._status

    @property
    def model_uri(self) -> str:
        """Where the artifact is uploaded to."""
        compressed = self.request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        return f"{self.output_uri}/{'model.tar.gz' if compressed else 'model/'}"

    @property
    def output_uri(self) -> str:
        """The folder of what the job uploads."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"

    def enter(self, secondary: str) -> None:
        """The job's next phase: Downloading, Training, Uploading. One that is stopped has no more phases."""
        with self._lock:
            if self._status != "InProgress":
                return
            if secondary == "Downloading":
                self._started = datetime.now(UTC)
            self._advance(self._status, secondary)
        self._changed(self.describe())

    def stop(self) -> bool:
        """StopTrainingJob. Returns False if the job has ended before."""
        with self._lock:
            stops = self._status == "InProgress"
            if stops:
                self._advance("Stopping", "Stopping")
        if stops:
            self._changed(self.describe())
        return self._status == "Stopping"

    def end(self, status: str, secondary: str, failure: str = "") -> None:
        """The job has ended. status: Completed, Failed or Stopped."""
        with self._lock:
            self._ended = datetime.now(UTC)
            self._failure = failure[:FAILURE_CHARACTERS]
            self._advance(status, secondary, self._failure)
        self._changed(self.describe())

    def measured(self, name: str, value: float, when: datetime) -> None:
        """The last value of a metric."""
        with self._lock:
            self._metrics[name] = {"MetricName": name, "Value": value, "Timestamp": when}

    def _advance(self, status: str, secondary: str, message: str = "") -> None:
        now = datetime.now(UTC)
        self._transitions[-1].setdefault("EndTime", now)
        transition = _transition(secondary, now, message)
        if status in ENDED:
            transition["EndTime"] = now
        self._transitions.append(transition)
        self._status, self._secondary, self._modified = status, secondary, now

    def describe(self) -> Json:
        """DescribeTrainingJob's response."""
        with self._lock:
            found = {
                **{field: value for field, value in self.request.items() if field not in _NOT_SHOWN},
                **self.summary(),
                "SecondaryStatus": self._secondary,
                "SecondaryStatusTransitions": [dict(each) for each in self._transitions],
                "ModelArtifacts": {"S3ModelArtifacts": self.model_uri},
                "FinalMetricDataList": list(self._metrics.values()),
            }
            if self._started is not None:
                found["TrainingStartTime"] = self._started
            if self._failure:
                found["FailureReason"] = self._failure
            if self._started is not None and self._ended is not None:
                seconds = math.ceil((self._ended - self._started).total_seconds())
                found |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
            return found

    def summary(self) -> Json:
        """The job in ListTrainingJobs."""
        with self._lock:
            return {
                "TrainingJobName": self.name,
                "TrainingJobArn": self.arn,
                "CreationTime": self._created,
                "LastModifiedTime": self._modified,
                **({"TrainingEndTime": self._ended} if self._ended else {}),
                "TrainingJobStatus": self._status,
            }


def _transition(secondary: str, when: datetime, message: str = "") -> Json:
    return {"Status": secondary, "StartTime": when, "StatusMessage": message or MESSAGES.get(secondary, secondary)}
