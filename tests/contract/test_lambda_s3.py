"""Events that name a photo in S3, with moto as S3."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from lambda_fn.photo import MAX_BYTES
from rehearsal.aws.lambda_runtime import LambdaRuntime
from tests.empty_moto import empty_moto
from tests.rehearsal.container import ANSWER, JPEG, Container
from tests.rehearsal.function import function_and_container

LABELS = ["image/jpg", "image/pjpeg", "application/octet-stream", "text/html", "image/heic"]
"""Content types that a good JPEG may have in a bucket."""


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with empty_moto() as url:
        put_photos(url)
        yield url


def put_photos(url: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="photos")
    for key, body in {
        "open/dog.jpg": JPEG,
        "open/ünïcode dög.jpg": JPEG,
        "open/large.jpg": JPEG.ljust(MAX_BYTES + 1, b"x"),
        "open/empty.jpg": b"",
        "open/page.html": b"<html>",
        "closed/dog.jpg": JPEG,
    }.items():
        client.put_object(Bucket="photos", Key=key, Body=body)
    for number, label in enumerate(LABELS):
        client.put_object(Bucket="photos", Key=f"open/{number}", Body=JPEG, ContentType=label)
    default = client.get_object(Bucket="photos", Key="open/dog.jpg")["ContentType"]
    assert default == "binary/octet-stream"  # what S3 says of an object that was put without a type
    client.close()


@pytest.fixture(scope="module")
def parts(s3_url: str) -> Iterator[tuple[LambdaRuntime, Container]]:
    with function_and_container(
        READABLE_S3_PREFIXES="s3://photos/open/,s3://missing/", AWS_ENDPOINT_URL_S3=s3_url
    ) as both:
        yield both


def classify(parts: tuple[LambdaRuntime, Container], bucket: str, key: str) -> tuple[int, dict[str, Any]]:
    response = parts[0].invoke({"s3": {"bucket": bucket, "key": key}})
    return response["statusCode"], json.loads(response["body"])


@pytest.mark.parametrize(
    "key", ["open/dog.jpg", "open/ünïcode dög.jpg", *(f"open/{number}" for number in range(len(LABELS)))]
)
def test_a_photo_below_a_readable_prefix_is_classified(parts: tuple[LambdaRuntime, Container], key: str) -> None:
    parts[1].requests.clear()
    status, body = classify(parts, "photos", key)

    assert status == 200
    assert body["predictions"] == ANSWER["predictions"]
    assert [(headers["content-type"], sent) for headers, sent in parts[1].requests] == [("image/jpeg", JPEG)]


@pytest.mark.parametrize(
    ("bucket", "key", "expected", "sentence"),
    [
        ("photos", "closed/dog.jpg", 403, "api.readable_s3_prefixes"),
        ("photos", "open/../closed/dog.jpg", 403, "api.readable_s3_prefixes"),
        ("other", "open/dog.jpg", 403, "api.readable_s3_prefixes"),
        ("photos", "open/none.jpg", 404, "no such"),
        ("missing", "dog.jpg", 404, "no such"),
        ("photos", "open/large.jpg", 413, "6,291,456"),
        ("photos", "open/empty.jpg", 400, "empty"),
        ("photos", "open/page.html", 415, "web page"),
    ],
)
def test_any_other_object_is_refused_with_a_sentence(
    parts: tuple[LambdaRuntime, Container], bucket: str, key: str, expected: int, sentence: str
) -> None:
    status, body = classify(parts, bucket, key)

    assert status == expected
    assert sentence in body["error"]["message"]


def test_the_time_of_the_fetch_is_a_metric(parts: tuple[LambdaRuntime, Container]) -> None:
    classify(parts, "photos", "open/dog.jpg")

    line = json.loads(parts[0].log.splitlines()[-1])
    assert line["source"] == "s3"
    assert line["FetchTime"] > 0
    assert {"Name": "FetchTime", "Unit": "Milliseconds"} in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert line["FetchTime"] + line["EndpointTime"] + line["OwnTime"] == pytest.approx(line["ms"], abs=0.1)
