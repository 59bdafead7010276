"""`kennel data upload` against a real S3 interface (moto's, in this process)."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

import ops.upload
from ops.sample.breeds import BREEDS
from ops.sample.dataset import write_sample
from ops.upload import UploadError, upload
from tests.distributed.dogs import write_photos
from training.data import DataError

BUCKET = "photos"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield BUCKET


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upload") / "sample"
    write_sample(folder, counts={"train": 2, "valid": 1, "test": 1}, breeds=BREEDS[:2])
    return folder


def keys() -> set[str]:
    return {item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_every_photo_is_uploaded_under_its_name_and_nothing_else_is(bucket: str, photos: Path) -> None:
    summary = upload(photos, f"s3://{bucket}/data")

    assert summary.uploaded == 8
    assert keys() == {f"data/{path.relative_to(photos).as_posix()}" for path in photos.rglob("*.jpg")}


def test_a_second_call_sends_nothing_again(bucket: str, photos: Path) -> None:
    upload(photos, f"s3://{bucket}/data/")

    summary = upload(photos, f"s3://{bucket}/data/")

    assert (summary.uploaded, summary.already_there) == (0, 8)


@pytest.mark.parametrize("content", [b"cut off", None])
def test_a_photo_that_differs_in_the_bucket_is_sent_again(bucket: str, photos: Path, content: bytes | None) -> None:
    upload(photos, f"s3://{bucket}/data")
    photo = next(photos.rglob("*.jpg"))
    key = f"data/{photo.relative_to(photos).as_posix()}"
    original = photo.read_bytes()
    changed = content or original[:-1] + b"\x00"  # None: the same size, other bytes
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=changed)

    assert upload(photos, f"s3://{bucket}/data").uploaded == 1
    assert boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == original


def test_progress_counts_the_photos_up_to_all_of_them(bucket: str, photos: Path) -> None:
    seen: list[tuple[int, int]] = []

    upload(photos, f"s3://{bucket}/data", progress=lambda done, total: seen.append((done, total)))

    assert seen[0] == (0, 8)
    assert seen[-1] == (8, 8)


def test_an_upload_that_is_ended_leaves_whole_photos_and_the_next_sends_the_others(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_photos(tmp_path, counts={"train": 16, "valid": 2, "test": 2})
    pressed, begun = threading.Event(), itertools.count(1)
    send = ops.upload._put

    def ctrl_c(done: int, _: int) -> None:
        if done:
            pressed.set()
            raise KeyboardInterrupt

    def put(*arguments: Any) -> bool:
        if next(begun) > 10:  # so that some are left when the operator has seen the bar move
            pressed.wait(10)
        return send(*arguments)

    with monkeypatch.context() as changed:
        changed.setattr(ops.upload, "_put", put)
        with pytest.raises(KeyboardInterrupt):
            upload(photos, f"s3://{bucket}/data", progress=ctrl_c)
    there = keys()
    for key in there:
        stored = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        assert stored == (photos / key.removeprefix("data/")).read_bytes()
    summary = upload(photos, f"s3://{bucket}/data")

    assert 10 <= len(there) < 60
    assert (summary.uploaded, summary.already_there) == (60 - len(there), len(there))


def test_a_photo_whose_tag_is_no_checksum_is_known_by_its_checksum(bucket: str, photos: Path) -> None:
    """Under a KMS key the entity tag is 32 digits that are no MD5."""
    upload(photos, f"s3://{bucket}/data")
    key = sorted(keys())[0]
    content = (photos / key.removeprefix("data/")).read_bytes()
    s3 = boto3.client("s3")

    assert ops.upload._is_same(s3, bucket, key, "0" * 32, content)
    assert not ops.upload._is_same(s3, bucket, key, "0" * 32, content[:-1] + b"x")


def test_photos_that_only_the_bucket_has_are_named_and_left(bucket: str, photos: Path) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="data/test/Pug/moved away.jpg", Body=b"x")
    boto3.client("s3").put_object(Bucket=bucket, Key="data/notes.txt", Body=b"x")
    assert upload(photos, f"s3://{bucket}/data").strangers == ["data/test/Pug/moved away.jpg"]
    assert "data/test/Pug/moved away.jpg" in keys()


def test_a_missing_bucket_is_told_with_the_way_to_make_it(bucket: str, photos: Path) -> None:
    with pytest.raises(UploadError, match=r"nowhere refused .* \(NoSuchBucket\). Deploy the Storage stack first"):
        upload(photos, "s3://nowhere/data")


@pytest.mark.parametrize("target", ["photos/data", "https://photos/data", "s3://", ""])
def test_a_target_that_is_no_s3_address_is_refused(photos: Path, target: str) -> None:
    with pytest.raises(UploadError, match="give an S3 address such as"):
        upload(photos, target)


def test_a_folder_that_cannot_be_trained_on_is_not_uploaded(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no train and no valid and no test folder"):
        upload(tmp_path, f"s3://{bucket}/data")

    assert keys() == set()


def test_without_credentials_there_is_a_sentence(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")

    with pytest.raises(UploadError, match="There are no AWS credentials"):
        upload(photos, "s3://photos/data")
