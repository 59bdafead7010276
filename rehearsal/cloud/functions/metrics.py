"""The metrics that Lambda emits for each call, sent in batches by a thread.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from contract.text import printable
from rehearsal.cloud.api import Engine, Json

NAMESPACE = "AWS/Lambda"
SENT_EVERY_S = 0.5
MOST_METRICS = 1000
"""Of PutMetricData at once."""
_UNITS = {"Duration": "Milliseconds", "ProvisionedConcurrencyUtilization": "None"}


class Metrics:
    """Sends the metrics of all functions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[Json] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True, name="function-metrics").start()

    def put(self, name: str, qualifier: str, version: str, values: Mapping[str, float]) -> None:
        """Add a value to each of these metrics, for the function and for the alias or version that was invoked."""
        now = datetime.now(UTC)
        data = [
            {
                "MetricName": metric,
                "Value": value,
                "Unit": _UNITS.get(metric, "Count"),
                "Timestamp": now,
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            }
            for metric, value in values.items()
            for dimensions in _dimensions(name, qualifier, version)
        ]
        with self._changed:
            self._waiting += data
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            time.sleep(SENT_EVERY_S)  # more calls may come
            with self._changed:
                waiting, self._waiting = self._waiting, []
            for first in range(0, len(waiting), MOST_METRICS):
                try:
                    self._engine.put_metrics(NAMESPACE, waiting[first : first + MOST_METRICS])
                except Exception as error:
                    print(f"Metrics of functions were not written: {printable(error)}", flush=True)


def _dimensions(name: str, qualifier: str, version: str) -> Iterable[Mapping[str, str]]:
    yield {"FunctionName": name}
    if qualifier:
        resource = {"FunctionName": name, "Resource": f"{name}:{qualifier}"}
        yield resource
        if qualifier != version:  # an alias
            yield {**resource, "ExecutedVersion": version}
