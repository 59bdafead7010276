"""An account of moto behind HTTP for each test, with credentials for it."""

import pytest

from tests.operate.deployment import REGION, Deployment
from tests.preflight.account import Account
from tests.preflight.shell import allow_scripted_errors, credentials, empty_account, one_loader, server

__all__ = ["credentials", "empty_account", "one_loader", "server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_scripted_errors(items, "operate")


@pytest.fixture
def region() -> str:
    return REGION


@pytest.fixture
def account(empty_account: Account) -> Account:
    return empty_account


@pytest.fixture
def deployment(account: Account) -> Deployment:
    """Everything works. Each test breaks what it is about."""
    return Deployment.of(account)
