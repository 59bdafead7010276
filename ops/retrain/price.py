"""What a training costs, by the dated tables of `kennel cost`."""

from dataclasses import dataclass

from ops.cost.charge import HOURS_A_MONTH
from ops.cost.endpoint import volume_gb
from ops.cost.price_table import CostError, PriceTable
from stacks.training.handler.request import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An upper bound: a job that waits for spare instances is not billed for the wait, and they cost about a third."""

    usd_hour: float | None
    """Of all instances with their volumes. None if the region's table lacks one of the prices."""
    longest_h: float
    dated: str
    """The date of the table's newest source; empty without a table."""

    @property
    def longest_usd(self) -> float | None:
        """What the job costs if it runs until its limit."""
        return None if self.usd_hour is None else self.usd_hour * self.longest_h


def price(region: str, request: Json) -> Price:
    """request: the arguments of CreateTrainingJob."""
    longest_h = request["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
    try:
        table = PriceTable.of(region)
    except CostError:
        return Price(usd_hour=None, longest_h=longest_h, dated="")
    resources = request["ResourceConfig"]
    kind, hosts = resources["InstanceType"], resources["InstanceCount"]
    instance = table.prices.get(f"sagemaker.instance.{kind}")
    storage = table.prices.get("sagemaker.storage")
    gb = volume_gb(kind, resources["VolumeSizeInGB"])
    if instance is None or (gb and storage is None):
        return Price(usd_hour=None, longest_h=longest_h, dated=str(table.newest))
    disk = gb * storage.usd / HOURS_A_MONTH if storage else 0.0
    return Price(usd_hour=hosts * (instance.usd + disk), longest_h=longest_h, dated=str(table.newest))


def in_words(found: Price) -> str:
    """A sentence."""
    if found.usd_hour is None or found.longest_usd is None:
        return (
            "What it costs is not known: ops/cost/prices/ lacks this region or instance type. It ends after "
            f"{found.longest_h:g} h at the latest."
        )
    return (
        f"It costs {found.usd_hour:.2f} USD an hour while it runs, at most {found.longest_usd:.2f} USD: it ends after "
        f"{found.longest_h:g} h at the latest (prices of {found.dated})."
    )
