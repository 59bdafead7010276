"""A clock that a test sets forward."""

import threading

from rehearsal.cloud.clock import Clock


class HandClock(Clock):
    """It shows `seconds`. A wait sets it forward and returns at once."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def at(self, timestamp: float) -> float:
        return timestamp

    def timestamp(self, seconds: float) -> float:
        return seconds

    def wait(self, seconds: float, ended: threading.Event) -> bool:
        self.seconds += seconds
        return ended.is_set()

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
