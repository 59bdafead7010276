"""What a simulation found: latencies, refusals, instances and their price."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ops.capacity.simulation import SimulatedMinute
from ops.cost.charge import HOURS_A_MONTH
from ops.cost.endpoint import DEFAULT_VOLUME_GB, volume_gb
from ops.cost.price_table import CostError, PriceTable

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Result:
    """Of all minutes, or of some."""

    minutes: Sequence[SimulatedMinute]
    hour_usd: float
    """The price of an instance for an hour."""
    patience_s: float
    """The function's time limit: an answer that takes longer reaches none of its callers."""

    @property
    def calls(self) -> int:
        return sum(minute.calls for minute in self.minutes)

    @property
    def refused(self) -> int:
        return sum(minute.refused for minute in self.minutes)

    @property
    def late(self) -> int:
        """Answers that took longer than `patience_s`."""
        return sum(latency > self.patience_s for minute in self.minutes for latency in minute.latencies_s)

    @property
    def instance_hours(self) -> float:
        """Billed hours: an instance that starts is counted as soon as it is wanted."""
        return sum(max(minute.desired, minute.in_service) for minute in self.minutes) / 60

    @property
    def usd(self) -> float:
        return self.instance_hours * self.hour_usd

    @property
    def month_usd(self) -> float:
        """If every hour were like these."""
        return self.usd * 60 / len(self.minutes) * HOURS_A_MONTH

    @property
    def instances(self) -> tuple[int, int]:
        """The least and the most that were in service."""
        counts = [minute.in_service for minute in self.minutes]
        return min(counts), max(counts)

    def latencies_ms(self) -> list[float | None]:
        """The percentiles `PERCENTILES` of the calls that were answered; None if none was."""
        found = sorted(latency for minute in self.minutes for latency in minute.latencies_s)
        if not found:
            return [None] * len(PERCENTILES)
        return [found[math.ceil(len(found) * percent / 100) - 1] * 1000 for percent in PERCENTILES]

    def parts(self, most: int) -> list[tuple[int, "Result"]]:
        """In at most so many parts of the same length, in order, each with its first minute."""
        length = max(1, math.ceil(len(self.minutes) / most))
        starts = range(0, len(self.minutes), length)
        return [(start, replace(self, minutes=self.minutes[start : start + length])) for start in starts]


def hour_usd(instance_type: str, table: PriceTable) -> float:
    """An instance and its volume. Raises CostError if the table has no price."""
    key = f"sagemaker.instance.{instance_type}"
    if key not in table.prices:
        raise CostError(f"The price table of {table.region} has no price of {instance_type}; add it with its source.")
    volume = volume_gb(instance_type, DEFAULT_VOLUME_GB) * table.prices["sagemaker.storage"].usd / HOURS_A_MONTH
    return table.prices[key].usd + volume
