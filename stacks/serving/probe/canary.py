"""The canary: invoke the endpoint with one photo. CloudWatch counts the failures as errors of the function."""

import os
from typing import Any

from .prediction import predict, runtime_client


def on_schedule(_event: Any = None, _context: Any = None) -> None:
    """Raises `ProbeError` or a botocore error, which Lambda counts in the function's Errors metric."""
    predict(runtime_client(attempts=1), os.environ["ENDPOINT_NAME"])
