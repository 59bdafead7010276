"""The function's environment variables."""

import pytest

from lambda_fn.settings import S3Object, Settings


def settings(prefixes: str = "") -> Settings:
    return Settings.from_env({"ENDPOINT_NAME": "dogs", "READABLE_S3_PREFIXES": prefixes})


def test_without_an_endpoint_the_function_does_not_start() -> None:
    with pytest.raises(ValueError, match="ENDPOINT_NAME"):
        Settings.from_env({})


@pytest.mark.parametrize("listed", ["photos/open/", "s3://", "s3:///x/", "https://photos/open/"])
def test_a_malformed_prefix_is_named(listed: str) -> None:
    with pytest.raises(ValueError, match="READABLE_S3_PREFIXES") as caught:
        settings(f"s3://good/,{listed}")
    assert listed in str(caught.value)


@pytest.mark.parametrize(
    ("listed", "bucket", "key", "may"),
    [
        ("", "photos", "a.jpg", False),
        ("s3://photos/open/", "photos", "open/a.jpg", True),
        ("s3://photos/open/", "photos", "open-secret/a.jpg", False),
        ("s3://photos/open", "photos", "open/a.jpg", True),
        ("s3://photos/open", "photos", "open-secret/a.jpg", False),
        ("s3://photos/open/", "photos-2", "open/a.jpg", False),
        ("s3://photos/open/", "photos", "/open/a.jpg", False),
        ("s3://photos/open/", "photos", "open/../secret/a.jpg", False),
        ("s3://photos/open/", "photos", "open/a..jpg", True),
        ("s3://photos", "photos", "any/where.jpg", True),
        ("s3://one/, s3://two/x/ ,", "two", "x/a.jpg", True),
        ("s3://one/, s3://two/x/ ,", "two", "a.jpg", False),
    ],
)
def test_only_objects_under_a_listed_prefix_may_be_read(listed: str, bucket: str, key: str, may: bool) -> None:
    assert settings(listed).may_read(S3Object(bucket, key)) is may
