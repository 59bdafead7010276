"""Ask a busy target again, after the wait that it advises, within a limit."""

import itertools
import random
import time
from collections.abc import Callable

from inference.prediction import Prediction
from ops.targets.reply import Ask, BusyError, RefusedError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 16.0
"""The waits where the target advises none: each is twice the one before."""
SPREAD = 0.25
"""The largest share by which a wait is longer, so that photos that were refused together do not come back together."""


def patient(
    ask: Ask,
    limit_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Ask:
    """`ask`, repeated while the target is busy.

    A photo whose next wait would end after `limit_s` seconds is refused at once. Raises what `ask` raises, without
    BusyError.
    """

    def patiently(photo: bytes) -> list[Prediction]:
        started = clock()
        for attempt in itertools.count():
            try:
                return ask(photo)
            except BusyError as error:
                wait_s = error.wait_s or min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
                wait_s *= random.uniform(1, 1 + SPREAD)
                if clock() - started + wait_s > limit_s:
                    raise RefusedError(
                        f"{error} The next try would end after the limit of {limit_s:g} s (--wait); try again later."
                    ) from error
            sleep(wait_s)
        raise AssertionError("itertools.count has no end")

    return patiently
