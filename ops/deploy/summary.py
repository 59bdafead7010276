"""What the user confirms: stacks, permissions, price and minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.cost import CostError, Estimate, estimate
from ops.cost.charge import HOURS_A_MONTH
from ops.deploy.minutes import ceiling, minutes
from ops.deploy.permissions import Permissions
from stacks.settings import Settings

SHORT = 60
"""Tables of permissions with at most so many lines are printed; longer ones are only in the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One deploy, before it starts."""

    environment: str
    account: str
    region: str
    stacks: Sequence[str]
    settings: Settings
    permissions: Permissions
    tables: Path
    """The file with CDK's tables of the permissions."""
    cost: Estimate | None
    no_cost: str
    """Why there is no price."""

    @classmethod
    def of(
        cls,
        assembly: Path,
        *,
        environment: str,
        account: str,
        region: str,
        stacks: Sequence[str],
        settings: Settings,
        permissions: Permissions,
        tables: Path,
    ) -> "Summary":
        """Read the price from the templates. A region without a price table stops no deploy."""
        cost, no_cost = None, ""
        try:
            cost = estimate(assembly, region)
        except CostError as error:
            no_cost = str(error)
        return cls(
            environment=environment,
            account=account,
            region=region,
            stacks=stacks,
            settings=settings,
            permissions=permissions,
            tables=tables,
            cost=cost,
            no_cost=no_cost,
        )

    def usd(self, case: str) -> float:
        """US dollars of the chosen stacks in a case of ops/cost."""
        return sum(self.cost.usd(case, stack) for stack in self.stacks) if self.cost else 0

    def show(self, console: Console) -> None:
        if self.permissions.tables and self.permissions.tables.count("\n") < SHORT:
            console.print(self.permissions.tables, markup=False, soft_wrap=True)
        console.print(self._table())
        for line in (self._permissions(), *self._price(), self._minutes()):
            console.print(line, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        where = f"{self.environment}: account {self.account}, {self.region}"
        table = Table(title=where, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD)
        table.add_column("stack")
        for column in ("permissions", "USD a month, idle", "minutes"):
            table.add_column(column, justify="right")
        for stack in self.stacks:
            table.add_row(stack, *self._row(stack))
        changed = f"+{self.permissions.added.total()} -{self.permissions.removed.total()}"
        total = sum(minutes(stack, self.settings) for stack in self.stacks)
        price = f"{self.usd('idle'):.2f}" if self.cost else "?"
        table.add_section()
        table.add_row(Text("together"), changed, price, f"about {total}")
        return table

    def _row(self, stack: str) -> tuple[str, str, str]:
        added, removed = self.permissions.added[stack], self.permissions.removed[stack]
        changes = " ".join([*([f"+{added}"] if added else []), *([f"-{removed}"] if removed else [])])
        price = f"{self.cost.usd('idle', stack):.2f}" if self.cost else "?"
        return changes or "none new", price, str(minutes(stack, self.settings))

    def _permissions(self) -> str:
        if not self.permissions.tables:
            return "Permissions: none is new."
        return (
            f"Permissions: statements and policies that are new (+) or removed (-); all of them are in {self.tables}."
        )

    def _price(self) -> list[str]:
        if not self.cost:
            return [f"Price: unknown. {self.no_cost}"]
        month, hour = self.usd("idle"), self.usd("idle") / HOURS_A_MONTH
        lines = [
            f"Price: {hour:.2f} USD an hour and {month:.0f} a month without any call, at most "
            f"{self.usd('worst'):.0f} a month (`kennel cost` says for what). "
            f"AWS's list prices, {self.cost.table.oldest:%Y-%m} or later."
        ]
        if "Training" in self.stacks and (training := self.usd("training")):
            lines.append(f"       {training:.2f} USD for one training; the same photos, settings and code train once.")
        if missing := (*self.cost.without_price, *self.cost.without_verdict):
            where = self.cost.region
            lines.append(f"       Not in these sums, because the price in {where} is unknown: {'; '.join(missing)}.")
        return lines

    def _minutes(self) -> str:
        ends = ceiling(list(self.stacks), self.settings)
        return "Minutes: estimates for stacks that are new or changed; one without a change takes seconds." + (
            f" At the latest, {ends}." if ends else ""
        )
