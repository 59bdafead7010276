"""Who is let in: no more than can be answered before callers give up."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.server.errors import BusyError, RequestError

LIMIT_S = 60
"""SageMaker gives a request this long. An answer that comes later has no reader."""

MARGIN = 0.8
"""Share of the limit that may be spent on waiting: the estimate is one, and the answer has to travel."""

_WEIGHT = 0.1
"""Of the newest photo in the moving average of what one takes."""


class Admission:
    """Knows how many photos wait and what one takes. Its methods may be called from several threads at once."""

    def __init__(self, cores: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cores = cores
        self._clock = clock
        self._lock = threading.Lock()
        self._photos = 0
        self._photo_s = 0.0

    def expected_s(self, count: int = 0) -> float:
        """Until all that is in the house and `count` photos more are answered."""
        return (self._photos + count) * self._photo_s / self._cores

    def check(self, count: int = 1) -> None:
        """Raises BusyError where `count` photos more could not be answered in time. Alone, any number may try."""
        expected = self.expected_s(count)
        if self._photos and expected > LIMIT_S * MARGIN:
            raise BusyError(
                f"{self._photos} photos are waiting, {expected:.0f} s of work with yours; try again later.",
                retry_after_s=math.ceil(expected / 2),
            )

    @contextmanager
    def photos(self, count: int) -> Iterator[None]:
        """Holds places for `count` photos. Raises BusyError as `check` does."""
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
        """One photo's decoding and prediction, timed. `arrived`: time.monotonic() of its request.

        Raises RequestError where its caller has given up already: the work would only keep others waiting.
        """
        started = self._clock()
        if started - arrived > LIMIT_S:
            raise RequestError(503, "too_late", f"The photo's turn came after more than {LIMIT_S} s; send it again.")
        try:
            yield
        finally:
            taken = self._clock() - started
            with self._lock:
                self._photo_s += (taken - self._photo_s) * (_WEIGHT if self._photo_s else 1)
