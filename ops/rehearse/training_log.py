"""The log of the training job that a deploy started, read from CloudWatch Logs while the deploy waits for it."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/TrainingJobs"
POLL_S = 1.0
LAST_LINES = 15


class TrainingLog:
    """Follows the newest job that begins after this: the lines of its first host.

    client: from the name of a service to its boto3 client. prefix: of the names of the jobs.
    """

    def __init__(self, client: Callable[[str], Any], prefix: str, on_line: Callable[[str], None]) -> None:
        self._logs, self._sagemaker = client("logs"), client("sagemaker")
        self._prefix, self._on_line = prefix, on_line
        self._before = set(self.jobs())
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._next = ""
        self._last = 0.0

    def jobs(self) -> list[str]:
        """The names of the jobs, the newest one first."""
        found = self._sagemaker.list_training_jobs(
            NameContains=self._prefix, SortBy="CreationTime", SortOrder="Descending"
        )
        return [each["TrainingJobName"] for each in found["TrainingJobSummaries"]]

    def failure(self) -> str:
        """If the job failed: SageMaker's reason, and the last lines of its log."""
        for name in self.new()[:1]:
            job = self._sagemaker.describe_training_job(TrainingJobName=name)
            if job["TrainingJobStatus"] == "Failed":
                lines = "\n".join(f"    {line}" for line in self.last_lines)
                reason = job.get("FailureReason", "none")
                return f"The training job {name} failed. FailureReason: {reason}\nThe end of its log:\n{lines}"
        return ""

    def new(self) -> list[str]:
        """The jobs that began after this, the newest one first."""
        return [name for name in self.jobs() if name not in self._before]

    def poll(self) -> None:
        """Pass the lines that are new, if the last look was a second ago."""
        if time.monotonic() - self._last >= POLL_S:
            self._last = time.monotonic()
            self.read()

    def read(self) -> None:
        """Pass the lines that are new."""
        new = self.new()
        if not new:
            return
        try:
            streams = self._logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{new[0]}/algo-1")
            for stream in streams["logStreams"][:1]:
                self._read(stream["logStreamName"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":  # no host has written yet
                raise

    def _read(self, stream: str) -> None:
        while True:
            token = {"nextToken": self._next} if self._next else {}
            page = self._logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **token)
            for event in page["events"]:
                self.last_lines.append(event["message"])
                self._on_line(event["message"])
            if page["nextForwardToken"] == self._next or not page["events"]:
                return
            self._next = page["nextForwardToken"]
