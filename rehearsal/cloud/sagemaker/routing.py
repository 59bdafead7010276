"""Which fleet, variant and instance answer a request."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.cloud.sagemaker.fleet import VariantFleet


@dataclass(frozen=True, slots=True)
class Fleet:
    """All variants of an endpoint under one endpoint config."""

    config_name: str
    variants: tuple[VariantFleet, ...]

    def named(self, variant: str) -> VariantFleet | None:
        """The variant of this name."""
        return next((each for each in self.variants if each.name == variant), None)


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests are shared between the fleets of an endpoint: two during an update."""

    shares: Sequence[tuple[Fleet, float]]
    """A fleet and its part of the traffic; the parts are 1 together."""

    def choose(self, target_variant: str = "") -> VariantFleet | None:
        """A variant for one request: the one that the request names, or one by the variants' weights."""
        fleets = [fleet for fleet, _ in self.shares]
        if not fleets:
            return None
        (fleet,) = random.choices(fleets, [share for _, share in self.shares])
        if target_variant:
            return fleet.named(target_variant)
        weights = [variant.weight for variant in fleet.variants]
        if not sum(weights):
            return None
        return random.choices(fleet.variants, weights)[0]

    def instances(self, variant: str) -> int:
        """The instances of a variant that get requests."""
        named = (fleet.named(variant) for fleet, share in self.shares if share)
        return sum(each.in_service for each in named if each is not None)
