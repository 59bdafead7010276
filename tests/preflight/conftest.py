"""An account behind HTTP for each test, and credentials for it."""

import pytest

from tests.preflight.account import Account
from tests.preflight.ready import REGION, make_ready
from tests.preflight.shell import allow_scripted_errors, credentials, empty_account, one_loader, server

__all__ = ["credentials", "empty_account", "one_loader", "server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_scripted_errors(items, "preflight")


@pytest.fixture
def region() -> str:
    return REGION


@pytest.fixture(autouse=True)
def _credentials(credentials: None) -> None:
    """Also of a test without an account."""


@pytest.fixture
def account(empty_account: Account) -> Account:
    """An account without a gap. Each test makes the one that it is about."""
    make_ready(empty_account)
    return empty_account
