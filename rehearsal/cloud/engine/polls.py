"""A state machine polls for as long as on AWS, in real seconds: what it polls for is really done.

Its waits are those of the faster clock. With the same number of attempts it would give up too soon by the factor of
that clock: CDK's provider framework polls every 30 s for 55 minutes, and a training would have 165 s. Source:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-retrying-after-an-error
"""

import math
from typing import Any

from ministack.services import stepfunctions

from rehearsal.cloud.api import Json


def poll_as_long_as_on_aws() -> None:
    """Give retries at a constant interval, which are polls, as many more attempts as the clock is faster."""
    find = stepfunctions._find_matching_retrier
    speed = 1 / stepfunctions._SFN_WAIT_SCALE

    def found(retriers: list[Json], error: str, counts: dict[int, int]) -> Any:
        return find([_with_attempts(each, speed) for each in retriers], error, counts)

    stepfunctions._find_matching_retrier = found


def _with_attempts(retrier: Json, speed: float) -> Json:
    if retrier.get("BackoffRate") != 1 or "MaxAttempts" not in retrier:
        return retrier
    return {**retrier, "MaxAttempts": math.ceil(retrier["MaxAttempts"] * speed)}
