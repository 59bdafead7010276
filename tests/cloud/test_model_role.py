"""The sessions of a model's role."""

from typing import Any

from rehearsal.cloud.api import Credentials
from rehearsal.cloud.renewed_clients import RENEW_S
from rehearsal.cloud.sagemaker.model_role import ModelRole
from tests.cloud.fake_engine import FakeEngine


class Engine(FakeEngine):
    """Each session has a number."""

    sessions = 0

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials:
        self.sessions += 1
        return super().credentials(role_arn, session, service, source=source)

    def client(self, service: str, _: Credentials) -> Any:
        return f"{service} in session {self.sessions}"


def test_a_client_outlives_no_session() -> None:
    now = [5.0]
    role = ModelRole(Engine(), "arn:aws:iam::111122223333:role/model", source="", now=lambda: now[0])

    assert [role.client("s3"), role.client("s3")] == ["s3 in session 1"] * 2
    now[0] += RENEW_S + 1
    assert role.client("s3") == "s3 in session 2"
