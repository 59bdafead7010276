"""The handler on moto's SageMaker, which completes each job at once and cannot stop one."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stacks.training.handler.events import is_complete, on_event
from stacks.training.handler.jobs import Jobs
from tests.infra.events import BUCKET, INVENTED_ID, PHOTOS, properties
from tests.infra.fake_cloudformation import CloudFormation


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        for key in PHOTOS.values():
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"photo")
        sagemaker, ec2 = (boto3.client(service, region_name="us-east-1") for service in ("sagemaker", "ec2"))
        yield Jobs(sagemaker=sagemaker, s3=s3, ec2=lambda: ec2, region="us-east-1")


def send(jobs: Jobs, request: str, **event: Any) -> dict[str, Any]:
    event = {"RequestType": request, "ResourceProperties": properties(), **event}
    return {**event, **on_event(event, None, jobs)}


def test_botocore_accepts_the_request_and_the_artifact_is_returned(jobs: Jobs) -> None:
    event = send(jobs, "Create")
    answer = is_complete(event, None, jobs)
    assert answer["IsComplete"]
    assert answer["Data"]["ModelData"].startswith(f"s3://{BUCKET}/training/artifacts")


def test_a_delete_of_an_unknown_job_succeeds(jobs: Jobs) -> None:
    event = send(jobs, "Delete", PhysicalResourceId=INVENTED_ID)
    assert is_complete(event, None, jobs) == {"IsComplete": True}


def test_botocore_accepts_the_list_that_finds_a_job_after_the_photos_changed(jobs: Jobs) -> None:
    name = send(jobs, "Create")["PhysicalResourceId"]
    jobs.s3.put_object(Bucket=BUCKET, Key="data/train/pug/another.jpg", Body=b"photo")
    assert send(jobs, "Delete", PhysicalResourceId=INVENTED_ID)["Jobs"] == [name]


def test_a_delete_of_a_finished_job_succeeds(jobs: Jobs) -> None:
    name = send(jobs, "Create")["PhysicalResourceId"]
    assert is_complete(send(jobs, "Delete", PhysicalResourceId=name), None, jobs) == {"IsComplete": True}


@pytest.mark.parametrize(
    "change", [{"InstanceCount": "4"}, {"VolumeGiB": "50"}, {"FallbackInstanceTypes": "ml.g5.xlarge"}]
)
def test_create_update_and_delete_succeed(jobs: Jobs, change: dict[str, str]) -> None:
    stack = CloudFormation(jobs, tick=lambda: None)
    first = stack.create(properties())
    bucket, _, key = first.data["ModelData"].removeprefix("s3://").partition("/")
    jobs.s3.put_object(Bucket=bucket, Key=key, Body=b"model")  # moto's jobs write none
    second = stack.update(properties(**change))
    assert first.ok and second.ok  # noqa: PT018
    assert (second.physical_id == first.physical_id) == ("InstanceCount" not in change)
    assert stack.delete().ok


def test_botocore_accepts_the_request_for_spot_training(jobs: Jobs) -> None:
    assert CloudFormation(jobs, tick=lambda: None).create(properties(MaxWaitSeconds="2700")).ok
