"""The server's log: one JSON line for each event."""

import json
import logging
import time

logger = logging.getLogger("kennel.serving")


def log(event: str, **fields: object) -> None:
    """Write one line with the event's name and its fields."""
    logger.info(json.dumps({"event": event, **fields}))


def elapsed_s(started: float) -> float:
    """Seconds since `started`, a value of time.perf_counter()."""
    return round(time.perf_counter() - started, 3)


def elapsed_ms(started: float) -> float:
    """Milliseconds since `started`, a value of time.perf_counter()."""
    return round((time.perf_counter() - started) * 1000, 3)
