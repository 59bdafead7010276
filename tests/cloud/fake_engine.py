"""An engine without ministack: it gives credentials, and records what a service asks of it."""

from pathlib import Path
from typing import Any

from rehearsal.cloud.api import Credentials, Json, Request


class FakeEngine:
    """See `rehearsal.cloud.api.Engine`."""

    account = "111122223333"
    region = "us-east-1"
    url = "http://127.0.0.1:9"

    def __init__(self, folder: Path = Path()) -> None:
        self.folder = folder
        self.passed_roles: list[tuple[str, str]] = []
        self.metrics: list[tuple[str, list[Json]]] = []
        self.events: list[tuple[str, str, Json, list[str]]] = []

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials:
        _ = source
        return Credentials("ASIAANY", f"secret of {role_arn}", f"{session} of {service}")

    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None:
        raise AssertionError(f"{action} on {resource} was checked with {context} as {credentials}")

    def client(self, service: str, credentials: Credentials) -> Any:
        raise AssertionError(f"{service} was called with {credentials}")

    def service_client(self, service: str) -> Any:
        return self.client(service, Credentials("AKIAANY", "secret of AWS", ""))

    def check_pass_role(self, _: Request, role_arn: str, service: str) -> None:
        self.passed_roles.append((role_arn, service))

    def put_metrics(self, namespace: str, metrics: list[Json]) -> None:
        self.metrics.append((namespace, metrics))

    def put_event(self, source: str, kind: str, detail: Json, resources: list[str]) -> None:
        self.events.append((source, kind, detail, resources))
