"""What a load needs, by arithmetic: instances by the scaling rule, and instances by the time that photos take."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from contract.declarations import declarations
from ops.capacity.simulation import Rules
from stacks.settings.serving import ScalingSettings

NEARLY_FULL = 0.8
"""Above this share of their time, instances make callers wait noticeably."""


@dataclass(frozen=True, slots=True)
class Needs:
    """rate: calls a second in the busiest minute."""

    rate: float
    rules: Rules

    @property
    def by_rule(self) -> int:
        """Instances with which each has no more calls a minute than the target."""
        return max(1, math.ceil(60 * self.rate / self.rules.scaling.target_invocations_per_min - 1e-9))

    @property
    def by_time(self) -> int:
        """Instances that are busy for at most `NEARLY_FULL` of the time."""
        return max(1, math.ceil(self.rate * self.rules.photo_s / NEARLY_FULL - 1e-9))

    @property
    def most_rate(self) -> float:
        """Calls a second that the largest fleet can answer, if they were spread evenly."""
        return self.rules.scaling.max_instances / self.rules.photo_s

    def sentences(self) -> Iterator[str]:
        """For the operator."""
        scaling = self.rules.scaling
        target, most = scaling.target_invocations_per_min, scaling.max_instances
        yield (
            f"The busiest minute has {rounded(self.rate)} a second. The scaling rule asks for "
            f"{instances(self.by_rule)} (serving.scaling.target_invocations_per_min is {target:,}); "
            f"{instances(self.by_time)} would be busy for at most {NEARLY_FULL:.0%} of the time."
        )
        yield (
            f"serving.scaling.max_instances is {most}: this fleet answers at most {self.most_rate:,.0f} calls a second."
        )
        permitted = declarations(ScalingSettings)["max_instances"].range
        if self.by_time > most and permitted is not None and self.by_time > permitted.high:
            yield (
                f"The load needs more than the {permitted.high:g} instances of one endpoint that the setting permits: "
                "docs/scale.md says what replaces this design."
            )
        elif self.by_time > most:
            yield f"The load is more than that fleet can answer well. Set serving.scaling.max_instances={self.by_time}."
        elif self.by_rule > most:
            yield (
                "The rule asks for more instances than the maximum, although that can answer the load: the alarm that "
                f"adds instances stays on. To make both agree, set {self._fitting()}."
            )

    def _fitting(self) -> str:
        """The lowest target with which the largest fleet is enough for the rule."""
        target = math.ceil(60 * self.rate / self.rules.scaling.max_instances)
        return f"serving.scaling.target_invocations_per_min={target}"


def instances(count: int) -> str:
    """With the noun."""
    return f"{count:,} {'instance' if count == 1 else 'instances'}"


def rounded(rate: float) -> str:
    """With the noun: three digits of a small figure, all of a large one."""
    figure = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
    return f"{figure} {'call' if figure == '1' else 'calls'}"
