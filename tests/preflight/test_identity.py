"""The credentials, and how long they last."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from environments import EnvironmentRefusedError
from ops.preflight.run import preflight
from tests.preflight.account import Account
from tests.preflight.ready import findings, only

STACKS = ["Storage"]


def temporary(monkeypatch: pytest.MonkeyPatch, *, minutes: float | None) -> None:
    """Temporary keys in the shell that end in so many minutes, or do not say when."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.delenv("AWS_CREDENTIAL_EXPIRATION", raising=False)
    if minutes is not None:
        ends = datetime.now(UTC) + timedelta(minutes=minutes)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends.isoformat())


def test_keys_of_a_user_do_not_end(account: Account) -> None:
    assert findings("credentials") == []


def test_temporary_keys_that_outlast_the_deploy_are_no_finding(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary(monkeypatch, minutes=120)

    assert findings("credentials") == []


def test_temporary_keys_that_end_during_the_training_are_a_warning(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary(monkeypatch, minutes=60.5)

    finding = only("credentials")

    assert finding.severity == "warning"
    assert "end in 60 minutes; the deploy takes up to 90 minutes" in finding.summary


def test_the_same_keys_are_enough_for_a_deploy_without_training(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary(monkeypatch, minutes=60)

    assert findings("credentials", {"training.model_data": "s3://bucket/model.tar.gz"}) == []


def test_keys_that_end_in_minutes_are_an_error(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary(monkeypatch, minutes=3)

    assert only("credentials").severity == "error"


def test_keys_that_ended_are_the_only_finding(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary(monkeypatch, minutes=-5)

    (finding,) = preflight().findings
    assert (finding.severity, finding.subject) == ("error", "credentials")
    assert "expired" in finding.remedy


def test_temporary_keys_that_do_not_say_when_they_end_are_unknown(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary(monkeypatch, minutes=None)

    assert only("credentials").severity == "unknown"


@pytest.mark.parametrize(("renews", "severities"), [(True, []), (False, ["warning"])])
def test_a_sign_in_that_cannot_be_renewed_ends_with_its_token(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, renews: bool, severities: list[str]
) -> None:
    """The keys of IAM Identity Center are renewed as long as its token is, which has a file of its own."""
    ends = datetime.now(UTC) + timedelta(minutes=30)
    monkeypatch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", str(tmp_path))
    token = {
        "accessToken": "token",
        "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-west-1",
        "startUrl": "https://example.awsapps.com/start",
        "clientId": "id",
        "clientSecret": "secret",
        "registrationExpiresAt": "2099-01-01T00:00:00Z",
        **({"refreshToken": "refresh"} if renews else {}),
    }
    digest = hashlib.sha1(b"work", usedforsecurity=False).hexdigest()
    (tmp_path / f"{digest}.json").write_text(json.dumps(token))
    config = tmp_path / "config"
    config.write_text(
        "[sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n"
        "[profile kennel]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "kennel")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    role_keys = {
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": "secret",
        "sessionToken": "token",
        "expiration": int((datetime.now(UTC) + timedelta(minutes=20)).timestamp() * 1000),
    }
    account.answer_path("/federation/credentials", {"roleCredentials": role_keys})

    assert [finding.severity for finding in findings("credentials")] == severities


def test_the_account_of_another_environment_is_refused(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from environments import files

    production = files.load("production")
    changed = {name: getattr(production, name) for name in production.__slots__} | {"account": "999999999999"}
    monkeypatch.setattr("environments.load", lambda _: type(production)(**changed))

    with pytest.raises(EnvironmentRefusedError, match="has the account 999999999999, but the credentials belong to"):
        preflight("production")
