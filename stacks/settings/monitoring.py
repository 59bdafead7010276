"""Settings of the alerts, and of the daily check for drift."""

from dataclasses import dataclass, field
from typing import Annotated

from contract.declarations import Pattern, Range
from stacks.settings.rules import SAGEMAKER_INSTANCE_TYPE, check


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftSettings:
    daily: bool = False
    """Whether a job compares the captured calls of each day with the test photos, and an alarm says when they differ
    (docs/decisions/0126-drift-in-a-daily-job.md). It needs `serving.capture.percent`."""
    instance_type: Annotated[str, SAGEMAKER_INSTANCE_TYPE] = "ml.m5.large"
    """Where the job runs, for some minutes a day. The account needs a quota for it."""

    def __post_init__(self) -> None:
        check(self, "monitoring.drift")


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitoringSettings:
    email: Annotated[str, Pattern(r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an address such as a@b.org, or empty")] = ""
    """Who gets the alerts, once this address has confirmed AWS's mail. Empty: subscribe to the topic yourself."""
    monthly_budget_usd: Annotated[int, Range(0, 1_000_000, "US dollars")] = 220
    """An alert is sent if the account's month is forecast to cost more, and at 80 % of it; 0 turns it off. By default
    80 % is more than `kennel cost` expects of a month (docs/decisions/0066-cost-from-the-templates.md)."""
    drift: DriftSettings = field(default_factory=DriftSettings)

    def __post_init__(self) -> None:
        check(self, "monitoring")
