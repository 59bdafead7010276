"""The metrics of SageMaker's endpoints, published at the end of each minute of the clock.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rehearsal.cloud.api import Engine, Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.usage import KEPT_MINUTES, MINUTE_S, Minute, Usages

NAMESPACE = "AWS/SageMaker"
MOST_VALUES = 150
"""In one datum of PutMetricData."""
MOST_DATA = 500
"""In one call; PutMetricData accepts 1,000."""


class Metrics:
    """Publishes what the variants were asked."""

    def __init__(self, engine: Engine, usages: Usages, clock: Clock) -> None:
        self._engine = engine
        self._usages = usages
        self._clock = clock
        self._published: dict[tuple[str, str], int] = {}

    def publish(self, names: dict[str, str]) -> None:
        """Publish each complete minute once. names: of the endpoints, by their names in lower case."""
        data: list[Json] = []
        for key, usage in self._usages.all().items():
            minutes = [each for each in usage.minutes(KEPT_MINUTES) if each.number > self._published.get(key, -1)]
            for minute in minutes:
                self._published[key] = minute.number
                dimensions = [
                    {"Name": "EndpointName", "Value": names.get(key[0], key[0])},
                    {"Name": "VariantName", "Value": key[1]},
                ]
                time = datetime.fromtimestamp(self._clock.timestamp((minute.number + 0.5) * MINUTE_S), UTC)
                data += [{**each, "Dimensions": dimensions, "Timestamp": time} for each in data_of(minute)]
        for first in range(0, len(data), MOST_DATA):
            self._engine.put_metrics(NAMESPACE, data[first : first + MOST_DATA])


def data_of(minute: Minute) -> list[Json]:
    """The data of one minute, without dimensions and time.

    A minute without an invocation has the value 0 of Invocations and InvocationsPerInstance, by which a variant scales
    in, and no other data: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html
    """
    if not minute.invocations:
        zero = {"Value": 0.0, "Unit": "None"}
        return [{"MetricName": "Invocations", **zero}, {"MetricName": "InvocationsPerInstance", **zero}]
    share = 1 / max(minute.instances, 1)
    counted = {
        "Invocations": minute.invocations,
        "Invocation4XXErrors": minute.errors_4xx,
        "Invocation5XXErrors": minute.errors_5xx,
        "InvocationModelErrors": minute.model_errors,
    }
    data = [_counted(name, count, minute.invocations) for name, count in counted.items()]
    data.append(_values("InvocationsPerInstance", Counter({share: minute.invocations}), "None"))
    for name, latencies in (
        ("ModelLatency", minute.model_latency_us),
        ("OverheadLatency", minute.overhead_latency_us),
    ):
        values = sorted(Counter(round(latency) for latency in latencies).items())
        data += [_values(name, dict(part), "Microseconds") for part in _parts(values)]
    return data


def _counted(name: str, count: int, invocations: int) -> Json:
    """One value for each invocation: 1 if it counts, otherwise 0, so that the average is a rate."""
    values = {value: times for value, times in ((1.0, count), (0.0, invocations - count)) if times}
    return _values(name, values, "None")


def _values(name: str, values: dict[float, int], unit: str) -> Json:
    return {
        "MetricName": name,
        "Values": [float(value) for value in values],
        "Counts": [float(count) for count in values.values()],
        "Unit": unit,
    }


def _parts(values: Sequence[tuple[float, int]]) -> Iterator[Sequence[tuple[float, int]]]:
    for first in range(0, len(values), MOST_VALUES):
        yield values[first : first + MOST_VALUES]
