"""Admission: a request waits in the queue only if it can be answered before its caller gives up."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.server.errors import BusyError, RequestError

LIMIT_S = 60
"""SageMaker's time limit for a request. A later response reaches no caller."""

ANSWER_WITHIN = "KENNEL_ANSWER_WITHIN_S"
"""The container's variable with a shorter limit, if its callers wait less long: the Lambda function does."""

MARGIN = 0.8
"""The share of the limit that a request may wait: the wait is an estimate, and the response takes time to travel."""

_WEIGHT = 0.1
"""The weight of the newest photo in the moving average of the seconds that a photo takes."""


class Admission:
    """Counts the waiting photos and measures what one takes. Safe to call from several threads at once."""

    def __init__(self, cores: int, *, limit_s: float = LIMIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s = limit_s
        """How long a caller waits for an answer."""
        self._cores = cores
        self._clock = clock
        self._lock = threading.Lock()
        self._photos = 0
        self._photo_s = 0.0

    def expected_s(self, count: int = 0) -> float:
        """Estimated seconds until every queued photo plus `count` more have been answered."""
        return (self._photos + count) * self._photo_s / self._cores

    def check(self, count: int = 1) -> None:
        """Raise BusyError if `count` more photos could not be answered in time. An empty queue accepts any number."""
        expected = self.expected_s(count)
        if self._photos and expected > self.limit_s * MARGIN:
            raise BusyError(
                f"{self._photos} photos are waiting, {expected:.0f} s of work with yours; try again later.",
                retry_after_s=math.ceil(expected / 2),
            )

    @contextmanager
    def photos(self, count: int) -> Iterator[None]:
        """Keep `count` photos in the queue for the block. Raises BusyError as `check` does."""
        with self._lock:
            self.check(count)
            self._photos += count
        try:
            yield
        finally:
            with self._lock:
                self._photos -= count

    @contextmanager
    def work(self, arrived: float) -> Iterator[None]:
        """Measure one photo's decoding and prediction. `arrived`: time.monotonic() of its request.

        Raises RequestError if its caller has given up already: the work would only keep others waiting.
        """
        started = self._clock()
        if started - arrived > self.limit_s:
            raise RequestError(
                503, "too_late", f"The photo's turn came after more than {self.limit_s:g} s; send it again."
            )
        try:
            yield
        finally:
            taken = self._clock() - started
            with self._lock:
                self._photo_s += (taken - self._photo_s) * (_WEIGHT if self._photo_s else 1)
