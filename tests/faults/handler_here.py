"""The function's handler in this process, with settings and a context that the test chooses."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from lambda_fn.settings import Settings


class Context:
    """What Lambda passes to the handler, with so many seconds left."""

    aws_request_id = "request-1"

    def __init__(self, left_s: float) -> None:
        self._end = time.monotonic() + left_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def handler_with(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[object, Context], dict[str, Any]]:
    """Its clients have credentials, and send to where the test's environment variables say."""
    for name in ("ENDPOINT_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "dogs")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    module = importlib.import_module("lambda_fn.handler")
    monkeypatch.setattr(module, "SETTINGS", settings)
    handler: Callable[[object, Context], dict[str, Any]] = module.handler
    return handler
