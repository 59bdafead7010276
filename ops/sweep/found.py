"""What a sweep finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

Client = Callable[[str], Any]
"""From the name of a service to its boto3 client, which is made once."""


class UndeletedError(Exception):
    """AWS answered without an error, and did not delete everything. The message is its reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A resource that bills."""

    kind: str
    """Such as `endpoint`."""
    region: str
    name: str
    about: str
    """What it consists of, such as `1 ml.m5.large`."""
    usd_day: float | None
    """Its price if it stays as it is; None if there is no figure for it."""
    kept: str = ""
    """Why it is not deleted; empty if it may be."""
    deleted: bool = False

    def because(self, reason: str) -> "Found":
        """The same resource, which is kept for this reason."""
        return replace(self, kept=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What was found in the regions that were asked for."""

    environment: str
    account: str
    regions: Sequence[str]
    found: Sequence[Found]
    """In the order of their deletion."""
    unknown: Sequence[str]
    """A sentence for each list that AWS refused: what is in it may bill too."""

    @property
    def left(self) -> list[Found]:
        """What still bills."""
        return [each for each in self.found if not each.deleted]

    @property
    def usd_day(self) -> float:
        """The price of what is left, as far as there are figures."""
        return sum(each.usd_day or 0 for each in self.left)
