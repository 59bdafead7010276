"""An operator's shell with keys of an account of moto, for the tests of the commands that ask AWS.

A folder's conftest.py imports these fixtures and adds one: `region`.
"""

from collections.abc import Iterator

import pytest
from botocore.loaders import create_loader

from tests.preflight.account import Account, an_account


def allow_scripted_errors(items: list[pytest.Item], folder: str) -> None:
    """moto warns of scripted errors that botocore's model of a service does not list, which AWS sends all the same."""
    for item in items:
        if f"tests/{folder}/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:Exception.RefusedCallError:UserWarning"))


@pytest.fixture
def credentials(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long-lived keys, and none of the developer's own."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "KENNEL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/EXAMPLE")


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """Read the models of AWS's services once, and not again in each session."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("botocore.session.create_loader", lambda _=None: loader)
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Account]:
    with an_account() as made:
        yield made


@pytest.fixture
def empty_account(credentials: None, server: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with nothing in it, which the credentials of the environment belong to."""
    server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    return server
