"""Settings of the alerts."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Pattern, Range
from stacks.settings.rules import check


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringSettings:
    email: Annotated[str, Pattern(r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an address such as a@b.org, or empty")] = ""
    """Who gets the alerts, once this address has confirmed AWS's mail. Empty: subscribe to the topic yourself."""
    monthly_budget_usd: Annotated[int, Range(0, 1_000_000, "US dollars")] = 220
    """An alert is sent if the account's month is forecast to cost more, and at 80 % of it; 0 turns it off. By default
    80 % is more than `kennel cost` expects of a month (docs/decisions/0066-cost-from-the-templates.md)."""

    def __post_init__(self) -> None:
        check(self, "monitoring")
