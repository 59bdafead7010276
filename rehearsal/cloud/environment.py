"""The engine's settings. It reads them from its environment when it is imported."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEPT = (
    "CUDA_VISIBLE_DEVICES", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "SSL_CERT_FILE",
    "TZ", "USER",
)  # fmt: skip
"""What the engine gets of the user's own environment, and jobs and containers of the engine's, which has the root key.
The engine reads dozens of settings, such as USE_SSL, there."""


def kept(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of an environment that a process may have."""
    return {name: inherited[name] for name in KEPT if name in inherited}


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """How an engine is started."""

    port: int
    folder: Path
    """Its folder for everything that it writes."""
    account: str
    region: str
    root_key: str
    root_secret: str = field(repr=False)
    node_packages: Path
    """The node_modules that Lambda's Node.js image has: AWS's SDK."""
    state_machine_speed: float
    """Seconds of a state machine's Wait in a real second."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def variables(self, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment of the engine's process: none of the user's own settings for AWS or an engine is in it."""
        return {
            **kept(inherited),
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": self.root_key,
            "AWS_SECRET_ACCESS_KEY": self.root_secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "INFO",
            "MINISTACK_ACCOUNT_ID": self.account,
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": self.region,
            "NODE_PATH": str(self.node_packages),
            "PERSIST_STATE": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "S3_PERSIST": "0",
            "SFN_WAIT_SCALE": f"{1 / self.state_machine_speed:g}",
            "TMPDIR": str(self.folder / "tmp"),
        }
