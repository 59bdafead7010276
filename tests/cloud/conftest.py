"""A local AWS for the tests of one process, and clients of it."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from rehearsal.cloud.local import LocalAws

Client = Callable[..., Any]
ECHO = Path(__file__).parent / "echo_app"
"""The folder of a CDK app that has nothing to do with Kennel."""


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A local AWS without a stack. Its images are those of the echo app."""
    with LocalAws(tmp_path_factory.mktemp("aws") / "local", images=ECHO / "images.toml") as aws:
        yield aws


@pytest.fixture(scope="session")
def client(local_aws: LocalAws) -> Client:
    """Makes a boto3 client: of the account's root, or with the keys that are given."""

    @cache  # a client takes longer to make than its calls do
    def root(service: str) -> Any:
        return make(
            service,
            aws_access_key_id=local_aws.settings.root_key,
            aws_secret_access_key=local_aws.settings.root_secret,
        )

    factory: Any = boto3.client  # its type has an overload for each service's name

    def make(service: str, **keys: str) -> Any:
        if not keys:
            return root(service)
        return factory(
            service,
            region_name=local_aws.settings.region,
            endpoint_url=local_aws.url,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            **keys,
        )

    return make


def make_alarm(client: Client, name: str, tags: list[dict[str, str]]) -> None:
    """An alarm of a metric that nothing sends."""
    client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Any",
        MetricName="Any",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=tags,
    )
