"""Calls functions at each minute of the clock, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from rehearsal.cloud.clock import Clock

MINUTE_S = 60
LATE_S = 1.0
"""So long after the minute began, on the clock: what ended in the minute before is counted by then."""
_log = logging.getLogger(__name__)


class EveryMinute:
    """calls: in this order. One that fails is logged, and called again a minute later."""

    def __init__(self, clock: Clock, *calls: Callable[[], None]) -> None:
        self._clock = clock
        self._calls = calls
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin with the next minute."""
        threading.Thread(target=self._run, name="every-minute", daemon=True).start()

    def end(self) -> None:
        """Call nothing any more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._clock.wait(MINUTE_S + LATE_S - self._clock.now() % MINUTE_S, self._ended):
            self.tick()

    def tick(self) -> None:
        """Call them now."""
        for call in self._calls:
            try:
                call()
            except Exception:
                _log.exception("%s", call)
