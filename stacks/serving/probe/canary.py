"""The canary: one photo every minute. It fails where the endpoint does, and Lambda counts its failures."""

import os
from typing import Any

from .prediction import ask, runtime


def on_schedule(_event: Any = None, _context: Any = None) -> None:
    """Raises `ProbeError` or botocore's error, which is what the alarm on the function's errors sees."""
    ask(runtime(attempts=1), os.environ["ENDPOINT_NAME"])
