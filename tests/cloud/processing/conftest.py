"""The account of the processing jobs' tests."""

import pytest

from tests.cloud.conftest import Client
from tests.cloud.processing.account import BUCKET, Account


@pytest.fixture(scope="session")
def account(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Account:
    client("s3").create_bucket(Bucket=BUCKET)
    return Account(client, tmp_path_factory.mktemp("programs"))
