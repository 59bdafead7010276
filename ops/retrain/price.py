"""What a training costs, by the dated tables of `kennel cost`."""

from collections.abc import Sequence
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
    dearest_usd_hour: float | None
    """The same on the dearest of the instance types that may be tried."""
    longest_h: float
    dated: str
    """The date of the table's newest source; empty without a table."""

    @property
    def longest_usd(self) -> float | None:
        """What the job costs if it runs until its limit."""
        return None if self.dearest_usd_hour is None else self.dearest_usd_hour * self.longest_h


def price(region: str, request: Json, fallbacks: Sequence[str] = ()) -> Price:
    """request: the arguments of CreateTrainingJob. fallbacks: the types that are tried where AWS lacks its type."""
    longest_h = request["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
    try:
        table = PriceTable.of(region)
    except CostError:
        return Price(usd_hour=None, dearest_usd_hour=None, longest_h=longest_h, dated="")
    resources = request["ResourceConfig"]
    first, *others = (
        _usd_hour(table, kind, resources["InstanceCount"], resources["VolumeSizeInGB"])
        for kind in (resources["InstanceType"], *fallbacks)
    )
    dearest = None if first is None or None in others else max([first, *filter(None, others)])
    return Price(usd_hour=first, dearest_usd_hour=dearest, longest_h=longest_h, dated=str(table.newest))


def _usd_hour(table: PriceTable, kind: str, hosts: int, volume: int) -> float | None:
    instance = table.prices.get(f"sagemaker.instance.{kind}")
    storage = table.prices.get("sagemaker.storage")
    gb = volume_gb(kind, volume)
    if instance is None or (gb and storage is None):
        return None
    disk = gb * storage.usd / HOURS_A_MONTH if storage else 0.0
    return hosts * (instance.usd + disk)


def in_words(found: Price) -> str:
    """A sentence."""
    if found.usd_hour is None or found.longest_usd is None:
        return (
            "What it costs is not known: ops/cost/prices/ lacks this region or one of the instance types. It ends "
            f"after {found.longest_h:g} h at the latest."
        )
    fallback = (
        f" ({found.dearest_usd_hour:.2f} USD on the dearest fallback type)"
        if found.dearest_usd_hour != found.usd_hour
        else ""
    )
    return (
        f"It costs {found.usd_hour:.2f} USD an hour while it runs{fallback}, at most {found.longest_usd:.2f} USD: it "
        f"ends after {found.longest_h:g} h at the latest (prices of {found.dated})."
    )
