"""The price of a resource a day, by the dated tables of `kennel cost`."""

from ops.cost.charge import HOURS_A_MONTH
from ops.cost.price_table import CostError, PriceTable

DAYS_A_MONTH = HOURS_A_MONTH / 24
GB = 10**9


class Prices:
    """The table of a region. A figure that it lacks is None, so that a sum is never too low without a sign of it."""

    def __init__(self, region: str) -> None:
        try:
            self._figures = {key: price.usd for key, price in PriceTable.of(region).prices.items()}
        except CostError:
            self._figures = {}

    def hourly(self, key: str, count: float = 1) -> float | None:
        """A day of something that is billed by the hour."""
        return self._times(key, 24 * count)

    def monthly(self, key: str, count: float = 1) -> float | None:
        """A day of something that is billed by the month, such as a GB of storage."""
        return self._times(key, count / DAYS_A_MONTH)

    def secondly(self, key: str, count: float) -> float | None:
        """A day of something that is billed by the second."""
        return self._times(key, 86_400 * count)

    def _times(self, key: str, count: float) -> float | None:
        usd = self._figures.get(key)
        return 0.0 if count == 0 else None if usd is None else usd * count


def total(*figures: float | None) -> float | None:
    """The sum; None if a figure is missing."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if len(known) == len(figures) else None
