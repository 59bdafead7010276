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

    def now(self) -> float:
        """Seconds of this clock since its start."""
        return (time.monotonic() - self._start) * self.speed

    def wait(self, seconds: float, ended: threading.Event) -> bool:
        """Wait so many seconds of this clock. Returns True at once if the event is set."""
        return ended.wait(seconds / self.speed)
