"""The minutes and the price of a smoke run, from the synthesised templates and the dated price tables."""

from dataclasses import dataclass
from pathlib import Path

from ops.cost import CostError, Estimate, estimate
from ops.cost.charge import HOURS_A_MONTH

MINUTES = {"deploy": 20, "update": 15, "destroy": 10}
"""Estimates: an image build takes about 6 minutes, an endpoint or a new fleet about 10 (ops/cost/assumptions.py), and
the update also waits for serving.rollout.bake_s. No run in a real account has confirmed them."""
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


def price(templates: Path, region: str) -> Price:
    """Raises CostError if the folder has no templates."""
    found = _estimate(templates, region)
    minutes = sum(MINUTES.values())
    endpoint = sum(line.usd("idle") for line in found.lines if line.price.key.startswith("sagemaker.instance."))
    standing_hour = (found.idle_month_usd + endpoint) / HOURS_A_MONTH
    build = sum(
        found.table.prices[key].usd * found.assumptions.build_min
        for key in {line.price.key for line in found.lines if line.price.key.startswith("codebuild.")}
    )
    return Price(
        minutes=minutes,
        usd=standing_hour * minutes / 60 + build,
        region=found.region,
        table=f"{found.table.oldest} to {found.table.newest}",
        without_price=found.without_price,
    )


def _estimate(templates: Path, region: str) -> Estimate:
    try:
        return estimate(templates, region)
    except CostError:
        return estimate(templates, FALLBACK_REGION)
