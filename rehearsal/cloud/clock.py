"""A clock that can run faster than the real one.

Waits that AWS makes for minutes (a bake, a cooldown) are the same number of minutes here, on this clock.
"""

import threading
import time


class Clock:
    """speed: minutes of this clock in a real minute."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.monotonic()
        self._start_time = time.time()

    def now(self) -> float:
        """Seconds of this clock since its start."""
        return (time.monotonic() - self._start) * self.speed

    def at(self, timestamp: float) -> float:
        """What this clock showed at a time, which is given in seconds since 1970."""
        return (timestamp - self._start_time) * self.speed

    def timestamp(self, seconds: float) -> float:
        """When this clock shows so many seconds, in seconds since 1970."""
        return self._start_time + seconds / self.speed

    def wait(self, seconds: float, ended: threading.Event) -> bool:
        """Wait so many seconds of this clock. Returns True at once if the event is set."""
        return ended.wait(seconds / self.speed)

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds of this clock."""
        time.sleep(seconds / self.speed)
