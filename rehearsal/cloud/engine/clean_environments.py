"""The environment variables of the programs that the engine starts.

It starts them with all of its own variables, the account's root key among them.
"""

import os
import subprocess
from collections.abc import Collection
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime, node_pool
from ministack.services import lambda_svc

from rehearsal.aws.execution_environment import NO_AWS_CONFIGURATION

KEPT_VARIABLES = ("AWS_DEFAULT_REGION", "AWS_REGION", "LANG", "NODE_PATH", "PATH", "TMPDIR")
"""What a function that the engine runs gets of the engine's own environment."""
DECLARED: ContextVar[Collection[str]] = ContextVar("declared", default=())
"""The names of the variables of the function that is called. One may have the value of the engine's: LOG_LEVEL=INFO."""


def clean_environments() -> None:
    """Let the engine start each of them without its own variables, except `KEPT_VARIABLES`.

    lambda_runtime: functions on Node.js and of custom runtimes; lambda_svc: durable ones; node_pool: CloudFront's
    functions and AppSync's.
    """
    start = subprocess.Popen

    def clean(command: list[str], *, env: dict[str, str] | None = None, **named: Any) -> Any:
        given = dict(os.environ) if env is None else env
        kept = {*KEPT_VARIABLES, *DECLARED.get()}
        own = {name: value for name, value in given.items() if name in kept or os.environ.get(name) != value}
        return start(command, env={**NO_AWS_CONFIGURATION, **own}, **named)

    cleaned = SimpleNamespace(**{**vars(subprocess), "Popen": clean})
    lambda_runtime.subprocess = lambda_svc.subprocess = node_pool.subprocess = cleaned
