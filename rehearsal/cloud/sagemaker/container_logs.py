"""What a container prints, written to CloudWatch Logs as the model's role: SageMaker itself has no right to do it.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

MOST_EVENTS = 1000
"""In one call; CloudWatch Logs accepts 10,000."""
LONGEST_LINE = 100_000


class ContainerLogs:
    """The log stream of one instance. client: of CloudWatch Logs, with the role's credentials.

    arrived: called with the lines that CloudWatch Logs has accepted.

    One thread may add lines while another writes them. Without the right to write, the lines stay in the log file of
    the local AWS's folder, and nothing else fails, as on AWS.
    """

    def __init__(
        self, client: Any, group: str, stream: str, arrived: Callable[[Iterable[str]], None] = lambda _: None
    ) -> None:
        self._client = client
        self._arrived = arrived
        self._group, self._stream = group, stream
        self._created = False
        self._lines: list[tuple[int, str]] = []
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Keep a line for the next `write`. CloudWatch Logs accepts no empty line."""
        with self._lock:
            self._lines.append((int(time.time() * 1000), line[:LONGEST_LINE] or " "))

    def write(self) -> None:
        """Write the lines that were added."""
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            if not self._created:
                self._create()
            for first in range(0, len(lines), MOST_EVENTS):
                events = [{"timestamp": at, "message": line} for at, line in lines[first : first + MOST_EVENTS]]
                self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
                self._arrived(line for _, line in lines[first : first + MOST_EVENTS])
        except (ClientError, BotoCoreError):
            self._created = False

    def _create(self) -> None:
        """Create the stream, and the group where the role may and there is none."""
        try:
            found = self._client.describe_log_streams(logGroupName=self._group, logStreamNamePrefix=self._stream)
            if not found["logStreams"]:
                self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            self._client.create_log_group(logGroupName=self._group)
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._created = True
