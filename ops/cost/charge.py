"""What one resource is billed for: quantities of one unit, in each case that an estimate has."""

from dataclasses import dataclass, fields

HOURS_A_MONTH = 730
"""AWS's own calculator uses 730, which is 365 x 24 / 12."""
SECONDS_A_MONTH = HOURS_A_MONTH * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Units of one price. The first three are for a month; the others for one training and for 1,000 predictions."""

    idle: float = 0
    expected: float = 0
    worst: float = 0
    training: float = 0
    predictions: float = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{case: getattr(self, case) + getattr(other, case) for case in CASES})

    def __mul__(self, factor: float) -> "Usage":
        return Usage(**{case: getattr(self, case) * factor for case in CASES})


CASES = tuple(field.name for field in fields(Usage))


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    what: str
    """For the reader, such as `ml.m5.large, the endpoint's instances`."""
    price: str
    """A key of the price table."""
    usage: Usage


def standing(units: float) -> Usage:
    """What bills all month in every case, such as a volume."""
    return Usage(idle=units, expected=units, worst=units)
