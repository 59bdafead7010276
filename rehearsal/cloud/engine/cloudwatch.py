"""CloudWatch's alarms and metrics in the engine. rehearsal/cloud/alarms.py evaluates the alarms, on the clock."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import cloudwatch

from rehearsal.cloud.alarms import Sample
from rehearsal.cloud.api import Json


class CloudWatch:
    """See `AlarmStore`. client: of CloudWatch, as the account's root."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        cloudwatch._evaluate_alarm = lambda _: None
        cloudwatch._evict_old_metrics = lambda: None  # it reads every point at each request, to find those of two weeks

    def metric_alarms(self) -> list[Json]:
        """See `AlarmStore`."""
        return [dict(alarm) for alarm in list(cloudwatch._alarms.values())]

    def samples(self, namespace: str, metric: str, dimensions: Sequence[Json], since: float) -> list[Sample]:
        """See `AlarmStore`."""
        named = {each["Name"]: each["Value"] for each in dimensions}
        points = list(cloudwatch._metrics.get((namespace, metric, cloudwatch._dims_key(named))) or ())
        return [_sample(point) for point in points if point["Timestamp"] >= since]

    def set_alarm_state(self, name: str, state: str, reason: str) -> None:
        """See `AlarmStore`."""
        try:
            self._client().set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFound":  # deleted since it was listed
                raise


def _sample(point: Mapping[str, Any]) -> Sample:
    """A point as the engine keeps it: a value seen some times, or a set of statistics."""
    if found := point.get("_stat"):
        count, total = float(found["SampleCount"]), float(found["Sum"])
        return Sample(point["Timestamp"], count, total, float(found["Minimum"]), float(found["Maximum"]))
    value, count = float(point["Value"]), float(point.get("Count", 1))
    return Sample(point["Timestamp"], count, value * count, value, value)
