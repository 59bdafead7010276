"""The log streams and metrics of a training job, sent to CloudWatch as the job's role.

https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html
"""

import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Credentials, Engine, Json
from rehearsal.cloud.sagemaker.training_record import TrainingRecord

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
SEND_EVERY_S = 0.5
MOST_EVENTS = 1000
"""Events of one PutLogEvents; CloudWatch takes 10,000, and 1 MiB."""


class Metrics:
    """Reads the metrics that a job declares out of its log lines. definitions: MetricDefinitions."""

    def __init__(self, definitions: Iterable[Json]) -> None:
        self._expressions = [(each["Name"], re.compile(each["Regex"])) for each in definitions]

    def read(self, line: str) -> list[tuple[str, float]]:
        """Each metric that the line has, with its value: the first group of the expression."""
        found = []
        for name, expression in self._expressions:
            for match in expression.finditer(line):
                try:
                    found.append((name, float(match[1])))
                except (IndexError, ValueError):
                    continue  # what the expression found is no number
        return found


class TrainingLogs:
    """Sends what the hosts print while the `with` block runs, and the rest at its end.

    A role without the rights loses its logs or metrics, and the job goes on, as on SageMaker; the reason is printed.
    """

    def __init__(self, engine: Engine, credentials: Credentials, record: TrainingRecord) -> None:
        self._logs = engine.client("logs", credentials)
        self._cloudwatch = engine.client("cloudwatch", credentials)
        self._record = record
        self._metrics = Metrics(record.request["AlgorithmSpecification"].get("MetricDefinitions", []))
        self._started = int(time.time())
        self._lines: dict[str, list[Json]] = defaultdict(list)
        self._values: list[Json] = []
        self._streams: set[str] = set()
        self._refused: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._sender = threading.Thread(target=self._send_until_end, name=f"logs of {record.name}", daemon=True)

    def __enter__(self) -> Self:
        self._sender.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sender.join()

    def line(self, host: str, text: str) -> None:
        """A line that a host has printed."""
        now = datetime.now(UTC)
        found = self._metrics.read(text)
        with self._lock:
            if text.strip():  # CloudWatch has no empty events
                self._lines[host].append({"timestamp": int(now.timestamp() * 1000), "message": text})
            for name, value in found:
                self._values.append(self._datum(name, value, now))
        for name, value in found:
            self._record.measured(name, value, now)

    def _datum(self, name: str, value: float, when: datetime) -> Json:
        dimensions = [{"Name": "TrainingJobName", "Value": self._record.name}]
        return {"MetricName": name, "Value": value, "Timestamp": when, "Dimensions": dimensions}

    def _send_until_end(self) -> None:
        while not self._ended.wait(SEND_EVERY_S):
            self._send()
        self._send()

    def _send(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, defaultdict(list)
            values, self._values = self._values, []
        for host, events in lines.items():
            self._attempt("logs", partial(self._put_lines, host, events))
        if values:
            self._attempt("metrics", partial(self._put_values, values))

    def _attempt(self, what: str, call: Any) -> None:
        try:
            call()
        except (BotoCoreError, ClientError) as error:
            if what not in self._refused:
                print(f"Training job {self._record.name} loses its {what}: {error}", file=sys.stderr, flush=True)
            self._refused.add(what)

    def _put_lines(self, host: str, events: list[Json]) -> None:
        stream = f"{self._record.name}/{host}-{self._started}"
        if stream not in self._streams:
            self._create(stream)
        for start in range(0, len(events), MOST_EVENTS):
            self._logs.put_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events[start : start + MOST_EVENTS]
            )

    def _create(self, stream: str) -> None:
        try:
            self._logs.create_log_group(logGroupName=LOG_GROUP)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
        found = self._logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=stream)["logStreams"]
        if not found:
            self._logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        self._streams.add(stream)

    def _put_values(self, values: list[Json]) -> None:
        self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=values)
