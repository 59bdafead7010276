"""How a test waits for what must happen, and how long."""

import time
from collections.abc import Callable

PATIENCE_S = 300
"""Only a failure reaches it: the awaited events take seconds on an idle machine, and longer on a busy one."""


def wait_until(happened: Callable[[], bool], *, running: Callable[[], bool] = lambda: True) -> bool:
    """Whether it happens within PATIENCE_S, and while `running` is true. Returns as soon as it does."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > end or not running():
            return happened()
        time.sleep(0.01)  # between two looks at another process, which cannot notify this one
    return True
