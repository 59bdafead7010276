"""One local AWS for the tests of a module."""

from collections.abc import Iterator

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.training.account import BUCKET, IMAGES, Account


@pytest.fixture(scope="module", params=["namespaces"])
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("aws")
    images = folder / "images.toml"
    images.write_text(IMAGES)
    with LocalAws(folder / "aws", images=images, hosts=request.param, speed=60) as aws:
        account = Account(aws.variables, aws.folder)
        account.s3.create_bucket(Bucket=BUCKET)
        yield account
