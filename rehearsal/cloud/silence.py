"""How long CloudFormation waits for a custom resource: while something works on it, and a short time of silence.

AWS waits an hour, or the resource's ServiceTimeout. A function that died gives no response, and an hour of waiting
would not change that. A provider that works for longer has a state machine, which runs until the resource is done.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_SILENCE_S = 300
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Response:
    """The event that a response has arrived. works: whether anything still works on it."""

    arrived: threading.Event
    works: Callable[[], bool]
    silence_s: float = LONGEST_SILENCE_S

    def wait(self, timeout: float) -> bool:
        """Whether it arrives within `timeout` seconds. Raises TimeoutError after `silence_s` in which nothing works."""
        now = last_work = time.monotonic()
        end = now + timeout
        while not self.arrived.wait(min(POLL_S, self.silence_s, max(0.0, end - now))):
            now = time.monotonic()
            if self.works():
                last_work = now
            if now >= end:
                return False
            if now - last_work >= self.silence_s:
                raise TimeoutError(
                    f"The custom resource gave no response for {self.silence_s:g} seconds in which no state machine "
                    "ran: its function has failed. Read the function's log."
                )
        return True
