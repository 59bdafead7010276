"""A function's log in CloudWatch Logs, written as the function's role, as Lambda does; CloudWatch reads metrics in it.

A role without the right to write gets no log, as on AWS. Lines are sent in batches by a thread, so no call waits.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contract.text import printable
from rehearsal.cloud.api import AwsError, Engine, Json
from rehearsal.cloud.embedded_metrics import extract
from rehearsal.cloud.renewed_clients import RenewedClients

SENT_EVERY_S = 0.05
MOST_EVENTS = 1000
"""Of PutLogEvents at once. It accepts 10,000, and 1 MiB."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The log stream of an execution environment, and whose it is."""

    group: str
    name: str
    function: str
    role: str


class Logs:
    """Writes the logs of all functions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[Stream, list[Json]] = defaultdict(list)
        self._changed = threading.Condition()
        self._clients = RenewedClients(self._client)
        self._created: set[Stream] = set()
        threading.Thread(target=self._run, daemon=True, name="function-logs").start()

    def write(self, stream: Stream, lines: Sequence[str]) -> None:
        """Send these lines soon."""
        now = int(time.time() * 1000)
        with self._changed:
            self._waiting[stream] += [{"timestamp": now, "message": line} for line in lines if line]
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            time.sleep(SENT_EVERY_S)  # more lines may come
            with self._changed:
                waiting, self._waiting = self._waiting, defaultdict(list)
            for stream, events in waiting.items():
                try:
                    self._send(stream, events)
                except (AwsError, BotoCoreError, ClientError) as error:
                    print(f"A log of {stream.group} was not written: {printable(error)}", flush=True)

    def _send(self, stream: Stream, events: list[Json]) -> None:
        client = self._clients.get(stream.role, stream.function)
        if stream not in self._created:
            self._create(client, stream)
            self._created.add(stream)
        for first in range(0, len(events), MOST_EVENTS):
            sent = events[first : first + MOST_EVENTS]
            client.put_log_events(logGroupName=stream.group, logStreamName=stream.name, logEvents=sent)
            extract(self._engine, stream.group, (event["message"] for event in sent))

    def _create(self, client: Any, stream: Stream) -> None:
        names = {"logGroupName": stream.group, "logStreamName": stream.name}
        try:
            client.create_log_stream(**names)
        except client.exceptions.ResourceNotFoundException:
            client.create_log_group(logGroupName=stream.group)  # a function without a log group of its own
            client.create_log_stream(**names)
        except client.exceptions.ResourceAlreadyExistsException:
            pass

    def _client(self, role: str, function: str) -> Any:
        return self._engine.client("logs", self._engine.credentials(role, function, "lambda.amazonaws.com"))
