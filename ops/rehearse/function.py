"""The deployed Lambda function, called through its alias as a caller does."""

import json
from collections.abc import Callable
from typing import Any

from botocore.config import Config

from ops.rehearse.errors import RehearsalError

ONE_ATTEMPT = Config(read_timeout=70, retries={"total_max_attempts": 1}, max_pool_connections=32)
"""A call that fails is seen, and not repeated."""


class Function:
    """The function behind an alias. arn: that of the alias, the Api stack's output FunctionArn."""

    def __init__(self, client: Callable[..., Any], arn: str) -> None:
        self._client = client("lambda", config=ONE_ATTEMPT)
        self.arn = arn

    def invoke(self, event: dict[str, Any]) -> Any:
        """Lambda's Invoke. Returns what the function returned. Raises RehearsalError if it failed."""
        answer = self._client.invoke(FunctionName=self.arn, Payload=json.dumps(event).encode())
        body = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise RehearsalError(f"The function {self.arn} failed: {body[:500].decode(errors='replace')}")
        return json.loads(body)
