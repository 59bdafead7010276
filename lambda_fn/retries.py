"""When a call is made again: after which faults, how often, and after which pause (decisions 105 and 111)."""

import random

from lambda_fn.errors import Fault

MAX_RETRIES = 1
"""Of a fault that is no throttle. Each retry sends the whole photo again, and counts as an invocation for the
endpoint's autoscaling."""
PAUSE_S = 0.25
"""Before such a retry, if the fault advises no wait."""
JITTER = 0.5
"""Its pause is longer by up to this share of it, at random, so that callers who failed together do not return together.
It is never shorter, because an advised wait is the least."""

MAX_THROTTLE_RETRIES = 4
"""AWS refuses a throttled call before the endpoint sees it. If it refuses 30 % of all calls, 0.3 to the power of 5 fail
after four retries, which is 0.2 %; after one retry 9 % fail."""
LEAST_THROTTLE_PAUSE_S, MOST_THROTTLE_PAUSE_S = 0.2, 2.0
"""Decorrelated jitter: each pause is drawn between the least and three times the one before it.
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/"""

LEAST_CALL_S = 0.5
"""A call with less time than this is not made: its answer would come too late."""


class RetryBudget:
    """What one execution environment may spend on retries after the first one of a call.

    Answered calls earn it. So while AWS throttles everything, a call is made twice and no more, and whatever share AWS
    throttles, the calls of a busy environment are about two for each request of a caller.
    """

    MOST = 10.0
    EARNED_BY_AN_ANSWER = 0.5

    def __init__(self) -> None:
        self._left = self.MOST

    def earn(self) -> None:
        self._left = min(self.MOST, self._left + self.EARNED_BY_AN_ANSWER)

    def take(self) -> bool:
        """Spend one retry. False: none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Retries:
    """The retries of one call, and how they spend `budget`."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._retries = self._throttle_retries = 0
        self._throttle_pause_s = LEAST_THROTTLE_PAUSE_S

    def pause_s(self, fault: Fault, *, left_s: float) -> float | None:
        """Seconds to wait before the retry after this fault. None: it is not retried.

        left_s: until the deadline. It must suffice for the pause and for the call after it.
        """
        if not fault.retryable or not self._has_one_left(fault):
            return None
        pause_s = self._drawn_pause_s(fault)
        if left_s < pause_s + _call_s(fault):
            return None
        if self._retries + self._throttle_retries > 0 and not self._budget.take():
            return None
        if fault.throttled:
            self._throttle_retries += 1
            self._throttle_pause_s = pause_s
        else:
            self._retries += 1
        return pause_s

    def _has_one_left(self, fault: Fault) -> bool:
        return self._throttle_retries < MAX_THROTTLE_RETRIES if fault.throttled else self._retries < MAX_RETRIES

    def _drawn_pause_s(self, fault: Fault) -> float:
        if fault.throttled:
            return min(MOST_THROTTLE_PAUSE_S, random.uniform(LEAST_THROTTLE_PAUSE_S, 3 * self._throttle_pause_s))
        return (fault.advised_wait_s or PAUSE_S) * random.uniform(1, 1 + JITTER)


def is_throttle(error_code: str) -> bool:
    """Whether an error code of AWS says that it limits the rate of calls. Each service has its own spelling."""
    return any(word in error_code for word in ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown"))


def _call_s(fault: Fault) -> float:
    """Seconds that the retry needs at least. The server advises half of its queue's time, so the other half is left."""
    return max(LEAST_CALL_S, fault.advised_wait_s or 0)
