"""The cost of the stacks in a folder of templates, in each case."""

from dataclasses import dataclass
from pathlib import Path

from ops.cost import storage
from ops.cost.assumptions import Assumptions
from ops.cost.charge import CASES, HOURS_A_MONTH, Charge
from ops.cost.price_table import Price, PriceTable
from ops.cost.templates import Resource, Templates, read
from ops.cost.verdicts import VERDICTS

BOOTSTRAP = "Bootstrap"
"""The stack of `make bootstrap`, as the tables call it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One charge of one stack, with its price."""

    stack: str
    charge: Charge
    price: Price

    def usd(self, case: str) -> float:
        units: float = getattr(self.charge.usage, case)
        return units * self.price.usd


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """US dollars in each case of `charge.CASES`: idle, expected, worst (a month), training, predictions (1,000)."""

    table: PriceTable
    assumptions: Assumptions
    stacks: tuple[str, ...]
    lines: tuple[Line, ...]
    without_price: tuple[str, ...]
    """What bills, but has no figure in the region's table: the totals are at least so much more."""
    without_verdict: tuple[str, ...]
    """Types of resources that this module does not know."""
    budget_usd: float | None
    """The monthly budget in the templates."""

    @property
    def region(self) -> str:
        return self.table.region

    def usd(self, case: str, stack: str | None = None) -> float:
        """The sum of a case, of one stack or of all."""
        return sum(line.usd(case) for line in self.lines if stack in (None, line.stack))

    @property
    def idle_month_usd(self) -> float:
        return self.usd("idle")

    @property
    def idle_hour_usd(self) -> float:
        return self.idle_month_usd / HOURS_A_MONTH


def estimate(templates: Path, region: str, assumptions: Assumptions | None = None) -> Estimate:
    """Price every resource of the templates in a folder (cdk.out), with the price table of a region.

    Raises CostError if the folder has no templates, the region has no table, or a number in a template is none.
    """
    table = PriceTable.of(region)
    app, given = read(templates), assumptions or Assumptions()
    charged = [(resource.stack, charge) for resource in app.resources for charge in _charges(resource, app, given)]
    charged.append((BOOTSTRAP, storage.bootstrap(given)))
    return Estimate(
        table=table,
        assumptions=given,
        stacks=(*app.stacks, BOOTSTRAP),
        lines=tuple(
            Line(stack=stack, charge=charge, price=table.prices[charge.price])
            for stack, charge in charged
            if charge.price in table.prices
        ),
        without_price=_without_price(charged, table),
        without_verdict=tuple(sorted({resource.type for resource in app.resources} - VERDICTS.keys())),
        budget_usd=_budget(app),
    )


def _charges(resource: Resource, app: Templates, given: Assumptions) -> list[Charge]:
    verdict = VERDICTS.get(resource.type)
    return list(verdict(resource, app, given)) if callable(verdict) else []


def _without_price(charged: list[tuple[str, Charge]], table: PriceTable) -> tuple[str, ...]:
    """The prices that are missing in the table, each with a charge that needs it."""
    missing: dict[str, str] = {}
    for _, charge in charged:
        if charge.price not in table.prices and any(getattr(charge.usage, case) for case in CASES):
            missing.setdefault(charge.price, charge.what)
    return tuple(f"{price} (such as: {what})" for price, what in sorted(missing.items()))


def _budget(app: Templates) -> float | None:
    for budget in app.of_type("AWS::Budgets::Budget"):
        return float(budget.properties["Budget"]["BudgetLimit"]["Amount"])
    return None
