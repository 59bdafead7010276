"""About how long a deploy takes, by stack. Estimates: nothing here has been timed in an account."""

import math
from collections.abc import Mapping

from ops.cost.assumptions import Assumptions
from stacks.settings import Settings

QUICK: Mapping[str, int] = {
    "Monitoring": 2,
    "Budget": 1,
    "Storage": 2,
    "Training": 1,
    "Api": 4,
    "Workbench": 6,
    "Delivery": 1,
}
"""Minutes for what CloudFormation creates without waiting for a job, a build or a fleet. The KMS key, provisioned
concurrency and the notebook instance take most of them."""
FULL_MODE = 8
"""Minutes that a training takes longer if it trains every weight (docs/decisions/0031-frozen-or-full.md)."""
CHECKED = 2
"""Minutes for the check of the endpoint, and for its scaling and canary."""


def minutes(stack: str, settings: Settings, given: Assumptions | None = None) -> int:
    """For a stack that is new or changed. One without a change takes seconds."""
    given = given or Assumptions()
    if stack == "Training" and not settings.training.model_data:
        return QUICK[stack] + given.training_min + (FULL_MODE if settings.training.mode == "full" else 0)
    if stack == "Serving":
        build = 0 if settings.serving.image_uri else given.build_min
        # for an update: the first fleet takes no traffic from another
        shift = settings.serving.rollout.bake_s + settings.serving.rollout.old_fleet_removal_s
        return math.ceil(build + given.new_fleet_min + shift / 60) + CHECKED
    return QUICK[stack]


def ceiling(stacks: list[str], settings: Settings) -> str:
    """When the two long waits end at the latest, in words."""
    ends = []
    if "Training" in stacks and not settings.training.model_data:
        ends.append(f"a training ends after {settings.training.WAIT_CEILING_MIN} minutes")
    if "Serving" in stacks:
        ends.append(f"an update of the endpoint after {settings.serving.rollout.timeout_s // 60}")
    return " and ".join(ends)
