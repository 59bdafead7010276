"""`kennel data upload` against a real S3 interface (moto's, in this process)."""

import io
import itertools
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console
from typer.testing import CliRunner

import environments
import ops.data.upload
from ops.cli import app
from ops.data import check_file
from ops.data.aws_errors import BucketError
from ops.data.check import check
from ops.data.upload import Progress, upload
from ops.views.steps import Steps
from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample
from stacks.settings import SettingsError, TrainingSettings
from tests.builders import any_photo
from tests.distributed.dogs import write_photos
from tests.patience import PATIENCE_S
from training.data.dataset import DataError

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


def deploy_storage(prefix: str) -> None:
    output = f'{{"DataUri": {{"Value": "s3://{BUCKET}/data/"}}}}'
    boto3.client("cloudformation").create_stack(
        StackName=f"{prefix}-storage",
        TemplateBody=f'{{"Resources": {{"T": {{"Type": "AWS::SNS::Topic"}}}}, "Outputs": {output}}}',
    )


def keys() -> set[str]:
    return {item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_every_photo_and_nothing_else_is_uploaded_under_its_name(bucket: str, photos: Path) -> None:
    summary = upload(photos, f"s3://{bucket}/data")

    assert summary.uploaded == 8
    assert keys() == {f"data/{path.relative_to(photos).as_posix()}" for path in photos.rglob("*.jpg")}


def test_the_content_type_of_an_object_is_that_of_its_content(bucket: str, photos: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    first, second, third = sorted(folder.rglob("*.jpg"))[:3]
    first.rename(first.with_suffix(".jfif"))
    second.write_bytes(any_photo(format="PNG"))
    third.write_bytes(b"GIF89a")
    upload(folder, f"s3://{bucket}/data")

    def stored(path: Path) -> str:
        key = f"data/{path.relative_to(folder).as_posix()}"
        return boto3.client("s3").head_object(Bucket=bucket, Key=key)["ContentType"]

    assert stored(first.with_suffix(".jfif")) == "image/jpeg"
    assert stored(second) == "image/png"
    assert stored(third) == "application/octet-stream"


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


def test_progress_counts_photos_and_bytes(bucket: str, photos: Path) -> None:
    seen: list[Progress] = []

    upload(photos, f"s3://{bucket}/data", progress=seen.append)

    size = sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    assert seen[0] == Progress(photos=0, of_photos=8, done_bytes=0, of_bytes=size)
    assert seen[-1] == Progress(photos=8, of_photos=8, done_bytes=size, of_bytes=size)


def test_an_interrupted_upload_leaves_complete_photos_and_the_next_sends_the_others(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_photos(tmp_path, counts={"train": 16, "valid": 2, "test": 2})
    pressed, begun = threading.Event(), itertools.count(1)
    send = ops.data.upload._put

    def ctrl_c(now: Progress) -> None:
        if now.photos:
            pressed.set()
            raise KeyboardInterrupt

    def put(*arguments: Any) -> bool:
        if next(begun) > 10:  # so that some are left when the operator has seen the bar move
            pressed.wait(PATIENCE_S)
        return send(*arguments)

    with monkeypatch.context() as changed:
        changed.setattr(ops.data.upload, "_put", put)
        with pytest.raises(KeyboardInterrupt):
            upload(photos, f"s3://{bucket}/data", progress=ctrl_c)
    there = keys()
    for key in there:
        stored = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        assert stored == (photos / key.removeprefix("data/")).read_bytes()
    summary = upload(photos, f"s3://{bucket}/data")

    assert 10 <= len(there) < 60
    assert (summary.uploaded, summary.already_there) == (60 - len(there), len(there))


def test_a_photo_whose_entity_tag_is_not_its_md5_is_compared_by_sha256(bucket: str, photos: Path) -> None:
    """Under a KMS key the entity tag is 32 digits that are not the MD5."""
    upload(photos, f"s3://{bucket}/data")
    key = sorted(keys())[0]
    content = (photos / key.removeprefix("data/")).read_bytes()
    s3 = boto3.client("s3")

    assert ops.data.upload._is_same(s3, bucket, key, "0" * 32, content)
    assert not ops.data.upload._is_same(s3, bucket, key, "0" * 32, content[:-1] + b"x")


def test_untracked_photos_are_reported_and_not_deleted(bucket: str, photos: Path) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="data/test/Pug/moved away.jpg", Body=b"x")
    boto3.client("s3").put_object(Bucket=bucket, Key="data/notes.txt", Body=b"x")
    assert upload(photos, f"s3://{bucket}/data").untracked == ["data/test/Pug/moved away.jpg"]
    assert "data/test/Pug/moved away.jpg" in keys()


def test_a_bucket_that_does_not_exist_is_not_said_to_be_the_stacks(bucket: str, photos: Path) -> None:
    with pytest.raises(BucketError, match=r"upload to nowhere \(NoSuchBucket\). That bucket does not exist. Correct"):
        upload(photos, "s3://nowhere/data")


@pytest.mark.parametrize("prefix", ["", "/", "/dogs?", "/my dogs", "/$dogs", "/a*/b", "/a,b"])
def test_a_target_from_which_no_training_can_read_is_refused_before_anything_is_sent(
    bucket: str, photos: Path, prefix: str
) -> None:
    """The command would end with a `make deploy` that the settings refuse."""
    reason = "a prefix has no spaces" if prefix.strip("/") else "the address has no prefix"
    with pytest.raises(BucketError, match=f"nothing was sent: {reason}.*Write for example s3://{bucket}/data"):
        upload(photos, f"s3://{bucket}{prefix}")
    assert keys() == set()
    with pytest.raises(SettingsError):
        TrainingSettings(data_uri=f"s3://{bucket}/{prefix.strip('/')}".rstrip("/") + "/")


@pytest.mark.parametrize("target", ["photos/data", "https://photos/data", "s3://"])
def test_a_target_that_is_not_an_s3_uri_is_refused(photos: Path, target: str) -> None:
    with pytest.raises(BucketError, match=r"not an S3 URI\. Write s3://BUCKET/PREFIX"):
        upload(photos, target)


def test_a_folder_that_cannot_be_trained_on_is_not_uploaded(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no train and no valid and no test folder"):
        upload(tmp_path, f"s3://{bucket}/data")

    assert keys() == set()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_name_that_is_not_utf_8_is_an_error_before_anything_is_sent(
    bucket: str, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    photo = next((tmp_path / "photos" / "train").rglob("*.jpg"))
    photo.rename(photo.with_name(os.fsdecode(b"m\xfcsli.jpg")))
    with pytest.raises(DataError, match=r"m\\udcfcsli.jpg' is not UTF-8.*nothing was sent. Rename the file"):
        upload(tmp_path / "photos", f"s3://{bucket}/data")

    assert keys() == set()


def test_val_is_uploaded_as_valid(bucket: str, photos: Path, tmp_path: Path) -> None:
    """Otherwise an upload after a rename of the folder would send every photo of the split again."""
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "valid").rename(tmp_path / "photos" / "val")
    upload(photos, f"s3://{bucket}/data")
    before = keys()

    assert upload(tmp_path / "photos", f"s3://{bucket}/data").uploaded == 0
    assert keys() == before


def test_without_a_target_photos_go_to_the_deployed_stacks_bucket(bucket: str, photos: Path) -> None:
    deploy_storage("kennel-production")

    assert upload(photos, environment="production").target == f"s3://{bucket}/data"
    assert len(keys()) == 8


def test_after_an_upload_elsewhere_the_next_command_trains_from_there(bucket: str, photos: Path) -> None:
    done = CliRunner().invoke(app, ["data", "upload", str(photos), f"s3://{bucket}/dogs"])
    assert done.stdout.endswith(f"make deploy ARGS='-c training.data_uri=s3://{bucket}/dogs/'\n")


def test_without_a_stack_the_error_names_both_remedies(bucket: str, photos: Path) -> None:
    with pytest.raises(BucketError, match=r"no stack kennel-storage .*make deploy ENV=development.*--env"):
        upload(photos)


@pytest.mark.parametrize("name", ["development", "production"])
def test_the_command_says_what_to_do_next(
    bucket: str, photos: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy_storage(environments.load(name).prefix)
    monkeypatch.setattr("ops.commands.data.CHECK_FILE", tmp_path / "data-check.json")
    done = CliRunner().invoke(app, ["--env", name, "data", "upload", str(photos)])

    assert done.exit_code == 0
    assert "8 photos sent to s3://photos/data, 0 were already there." in done.stdout
    assert done.stdout.endswith("make deploy\n" if name == "development" else "make deploy ENV=production\n")


def test_the_command_says_what_the_check_of_these_photos_found(
    bucket: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "data-check.json"
    monkeypatch.setattr("ops.commands.data.CHECK_FILE", file)
    mine = tmp_path / "photos"
    shutil.copytree(photos, mine)

    def printed() -> str:
        done = CliRunner().invoke(app, ["data", "upload", str(mine), f"s3://{bucket}/data"])
        assert done.exit_code == 0
        return done.stdout

    unchecked = f"{file} has no check of these photos. Before you train: make data-check DIR={mine}\n"
    assert unchecked in printed()
    check_file.write(check(mine), file)
    assert "check" not in printed()
    photo = next((mine / "train").rglob("*.jpg"))
    shutil.copy(photo, mine / "test" / photo.parent.name / "leak.jpg")
    assert unchecked in printed()
    check_file.write(check(mine), file)
    assert f"`make data-check DIR={mine}` found errors in these photos; correct them" in printed()


def test_the_bar_shows_bytes_and_the_time_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with Steps(console, total=1).step("Upload dogImages", in_bytes=True) as report:
        report(0, 800_000_000, "")
        report(200_000_000, 800_000_000, "2080/8351 photos")
    shown = console.file.getvalue()  # type: ignore[attr-defined]

    assert "200.0/800.0 MB" in shown
    assert re.search(r" \S+:\S+ left", shown)
    assert "2080/8351 photos" in shown
