"""The minutes and the price of a smoke run, from the synthesised templates and the dated price tables."""

from dataclasses import dataclass
from pathlib import Path

from ops.cost import CostError, Estimate, estimate
from ops.cost.charge import HOURS_A_MONTH
from ops.cost.estimate import BOOTSTRAP
from ops.deploy.minutes import minutes
from stacks.settings import Settings

DESTROY = 10
"""Minutes. An estimate: no run in a real account has measured it."""
FALLBACK_REGION = "us-east-1"
"""Its prices are named if a region has no table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    minutes: int
    usd: float
    """An upper bound: everything bills from the first minute to the last, and the endpoint twice."""
    region: str
    """The region of the price table."""
    table: str
    """The dates of the table's sources."""
    without_price: tuple[str, ...]
    """What bills, but is not in the table, so that the bound does not hold."""


def price(templates: Path, region: str, settings: Settings) -> Price:
    """settings: those of the templates. Raises CostError if the folder has no templates."""
    found = _estimate(templates, region)
    deploy = sum(minutes(stack, settings) for stack in found.stacks if stack != BOOTSTRAP)
    update = minutes("Serving", settings)
    whole = deploy + update + DESTROY
    endpoint = sum(line.usd("idle") for line in found.lines if line.price.key.startswith("sagemaker.instance."))
    standing_hour = (found.idle_month_usd + endpoint) / HOURS_A_MONTH
    build = sum(
        found.table.prices[key].usd * found.assumptions.build_min
        for key in {line.price.key for line in found.lines if line.price.key.startswith("codebuild.")}
    )
    return Price(
        minutes=whole,
        usd=standing_hour * whole / 60 + build,
        region=found.region,
        table=f"{found.table.oldest} to {found.table.newest}",
        without_price=found.without_price,
    )


def _estimate(templates: Path, region: str) -> Estimate:
    try:
        return estimate(templates, region)
    except CostError:
        return estimate(templates, FALLBACK_REGION)
