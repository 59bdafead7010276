"""A version of a function as it was deployed: what of its record decides how it runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.cloud.api import Json


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A version. arn: as it was invoked, so it may end in an alias."""

    name: str
    version: str
    arn: str
    role: str
    runtime: str
    handler: str
    timeout_s: float
    memory_mib: int
    environment: Mapping[str, str]
    log_group: str
    log_format: str
    log_level: str
    code: bytes = field(repr=False)
    fingerprint: str
    """Processes of another fingerprint do not serve it: something in its configuration has changed since."""

    @staticmethod
    def of(config: Json, code: bytes) -> "DeployedFunction":
        """config: as GetFunctionConfiguration returns it. code: the zip archive."""
        name = config["FunctionName"]
        logging = config.get("LoggingConfig") or {}
        kept = {key: config.get(key) for key in ("Role", "Runtime", "Handler", "Timeout", "MemorySize", "Environment")}
        digest = hashlib.sha256(json.dumps([kept, logging, config.get("CodeSha256")], sort_keys=True).encode())
        return DeployedFunction(
            name=name,
            version=config.get("Version") or "$LATEST",
            arn=config["FunctionArn"],
            role=config["Role"],
            runtime=config["Runtime"],
            handler=config["Handler"],
            timeout_s=float(config.get("Timeout") or 3),
            memory_mib=int(config.get("MemorySize") or 128),
            environment=(config.get("Environment") or {}).get("Variables") or {},
            log_group=logging.get("LogGroup") or f"/aws/lambda/{name}",
            log_format=logging.get("LogFormat") or "Text",
            log_level=logging.get("ApplicationLogLevel") or "",
            code=code,
            fingerprint=digest.hexdigest(),
        )

    @property
    def qualifier(self) -> str:
        """The alias or the version by which it was invoked; "" if by none."""
        parts = self.arn.split(":")
        return parts[7] if len(parts) > 7 else ""
