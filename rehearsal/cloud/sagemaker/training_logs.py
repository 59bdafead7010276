"""The log streams and metrics of a training job, sent to CloudWatch as the job's role.

https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html
"""

import logging
import re
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Credentials, Engine, Json
from rehearsal.cloud.sagemaker.container_logs import ContainerLogs
from rehearsal.cloud.sagemaker.metrics import MOST_DATA
from rehearsal.cloud.sagemaker.training_record import TrainingRecord

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
SEND_EVERY_S = 0.5


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
    """Sends what the hosts print while the `with` block runs, and the rest at its end. hosts: their names.

    A role without the rights loses its logs or metrics, and the job goes on, as on SageMaker.
    """

    def __init__(self, engine: Engine, credentials: Credentials, record: TrainingRecord, hosts: Sequence[str]) -> None:
        client, started = engine.client("logs", credentials), int(time.time())
        self._logs = {host: ContainerLogs(client, LOG_GROUP, f"{record.name}/{host}-{started}") for host in hosts}
        self._cloudwatch = engine.client("cloudwatch", credentials)
        self._record = record
        self._metrics = Metrics(record.request["AlgorithmSpecification"].get("MetricDefinitions", []))
        self._values: list[Json] = []
        self._refused = False
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
            self._logs[host].add(text)
            self._values += [self._datum(name, value, now) for name, value in found]
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
        for log in self._logs.values():
            log.write()
        with self._lock:
            values, self._values = self._values, []
        try:
            for first in range(0, len(values), MOST_DATA):
                self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=values[first : first + MOST_DATA])
        except (BotoCoreError, ClientError) as error:
            if not self._refused:
                logger.warning("Training job %s loses its metrics: %s", self._record.name, error)
            self._refused = True
