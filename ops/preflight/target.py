"""What will be deployed, and where: what every check reads."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

import environments
from environments import Environment
from environments.environment import ON_REQUEST, STACKS, EnvironmentRefusedError
from environments.suggestions import did_you_mean
from stacks.settings import Settings

QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
"""The key of the CDK context that names another bootstrap stack."""
DEFAULT_QUALIFIER = "hnb659fds"
CDK_JSON = Path(__file__).resolve().parents[2] / "cdk.json"
ALL = "--all"
"""What `make deploy` passes to CDK instead of names."""

ALERTS = ("monitoring", "budget")
NEEDED_BY: Mapping[str, tuple[str, ...]] = {
    "monitoring": (),
    "budget": ("monitoring",),
    "storage": ALERTS,
    "training": (*ALERTS, "storage"),
    "serving": (*ALERTS, "storage", "training"),
    "api": (*ALERTS, "storage"),
    "workbench": (*ALERTS, "storage", "training", "serving", "api"),
    "delivery": (),
}
"""The stacks that CDK deploys before each stack."""

PATIENCE = Config(
    retries={"mode": "standard", "max_attempts": 5},  # AWS throttles Service Quotas at a few calls a second
    connect_timeout=5,
    read_timeout=20,
    max_pool_connections=16,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A deployment of some stacks of an environment, in one account and region."""

    environment: Environment
    settings: Settings
    stacks: frozenset[str]
    """The kinds of the stacks that will be deployed, such as `serving`."""
    session: boto3.Session
    account: str
    region: str
    qualifier: str = DEFAULT_QUALIFIER
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def partition(self) -> str:
        return self.session.get_partition_for_region(self.region)

    @property
    def env_option(self) -> str:
        """What a command of make needs to mean this environment."""
        return "" if self.environment.name == environments.DEFAULT else f" ENV={self.environment.name}"

    @property
    def kennel_option(self) -> str:
        """What a command of `kennel` needs to mean this environment."""
        return "" if self.environment.name == environments.DEFAULT else f" --env {self.environment.name}"

    @property
    def trains(self) -> bool:
        """Whether a training job may start."""
        return "training" in self.stacks and not self.settings.training.model_data

    @property
    def has_host(self) -> bool:
        return "workbench" in self.stacks and self.settings.workbench.host

    @property
    def has_notebook(self) -> bool:
        return "workbench" in self.stacks and self.settings.workbench.notebook

    @property
    def makes_vpc(self) -> bool:
        """Whether the workbench makes a VPC of its own."""
        return (self.has_host or self.has_notebook) and not self.settings.workbench.subnet

    @property
    def builds_image(self) -> bool:
        """Whether CodeBuild builds the serving image."""
        return "serving" in self.stacks and not self.settings.serving.image_uri

    def client(self, service: str, region: str = "") -> Any:
        """A client of boto3, one for all threads: a session must not make two at once, and its clients are shared."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self.session.client(service, region_name=key[1], config=PATIENCE)  # type: ignore[call-overload]
            return self._clients[key]


def qualifier(context: Mapping[str, object]) -> str:
    """The qualifier of the bootstrap stack: of -c, else of cdk.json, else CDK's own."""
    named = json.loads(CDK_JSON.read_text(encoding="utf-8"))["context"]
    return str({QUALIFIER: DEFAULT_QUALIFIER, **named, **context}[QUALIFIER])


def with_needed(names: Iterable[str], *, exclusively: bool = False) -> frozenset[str]:
    """The kinds of the stacks that CDK deploys if it gets these names, such as Serving; `--all` means every stack.

    exclusively: CDK's option, which leaves out the stacks that come before the named ones.

    Raises EnvironmentRefusedError for a name that no stack has, and for no name at all.
    """
    names = list(names)
    if not names:
        raise EnvironmentRefusedError(
            "STACKS is empty, so there is nothing to deploy; leave it out to deploy every stack."
        )
    kinds: set[str] = set()
    for name in names:
        kind = name.lower()
        if name == ALL:
            return frozenset(STACKS)
        if kind not in NEEDED_BY:
            known = [kind.title() for kind in (*STACKS, *ON_REQUEST)]
            suggestion = did_you_mean(name, known, otherwise=f"The stacks are {', '.join(known)}.")
            raise EnvironmentRefusedError(f"There is no stack {name!r}. {suggestion}")
        kinds |= {kind} if exclusively else {kind, *NEEDED_BY[kind]}
    return frozenset(kinds)
