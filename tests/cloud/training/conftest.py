"""One local AWS for the tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.training.account import BUCKET, IMAGES, Account

SPEED = 60.0
"""SageMaker's 120 seconds after SIGTERM are two."""


def local_aws(folder: Path, hosts: str) -> LocalAws:
    images = folder / "images.toml"
    images.write_text(IMAGES)
    return LocalAws(folder / "aws", images=images, hosts=hosts, speed=SPEED)


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account whose training hosts are processes over loopback."""
    with local_aws(tmp_path_factory.mktemp("aws"), "loopback") as aws:
        account = Account(aws.variables, aws.folder)
        account.s3.create_bucket(Bucket=BUCKET)
        yield account
