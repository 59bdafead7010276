"""The same photos have one digest: in a folder, in a trained model's manifest, in the bucket and in a job's name."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contract.photos import PhotoFile, digest, is_digest, listed_photos
from ops.cli import app
from ops.data.upload import upload
from stacks.training.handler.events import on_event
from stacks.training.handler.jobs import Jobs
from stacks.training.handler.photos import data_digest
from stacks.training.handler.request import Location
from tests.distributed.dogs import write_photos
from tests.infra.events import properties
from tests.infra.fake_sagemaker import FakeSageMaker
from training.data.dataset import scan

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "kennel-photos"
URI = f"s3://{BUCKET}/data"


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, ["data", *words])
    assert done.exit_code in (0, 1), done.output  # 1: drawn photos of one colour are nearly identical
    return done.stdout


def in_bucket(s3: Any) -> str:
    objects = s3.list_objects_v2(Bucket=BUCKET, Prefix="data/").get("Contents", [])
    return digest(listed_photos(objects, "data/").values())


def test_folder_manifest_check_bucket_and_job_name_agree(s3: Any, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", breeds=2, prefixes=True)
    (photos / "valid").rename(photos / "val")  # the name that other tools use; the bucket gets valid/
    expected = scan(photos).digest()
    assert is_digest(expected)

    subprocess.run(
        [
            *(sys.executable, str(ROOT / "tests/distributed/small_train.py"), "--data", str(photos)),
            *("--model-dir", str(tmp_path / "model"), "--mode", "full", "--epochs", "1", "--pretrained", "none"),
            *("--image-size", "32", "--batch-size", "8", "--precision", "fp32"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        timeout=300,
    )
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["training"]["data"] == expected

    checked = json.loads(printed("check", str(photos), "--json", "--sheet", str(tmp_path / "sheet.png")))
    assert checked["digest"] == expected

    summary = upload(photos, URI)
    assert (summary.digest, summary.bucket_digest, summary.is_comparable) == (expected, expected, True)
    assert printed("version", URI).strip() == expected

    jobs = Jobs(sagemaker=FakeSageMaker(s3), s3=s3, ec2=lambda: None, region="us-east-1")
    assert data_digest(s3, Location(bucket=BUCKET, prefix="data/")) == expected
    started = on_event({"RequestType": "Create", "ResourceProperties": properties(Bucket=BUCKET)}, None, jobs)
    assert started["PhysicalResourceId"].endswith(expected[:10])


@pytest.mark.parametrize(
    "key",
    [
        "data/notes.txt",
        "data/train/labels.csv",
        "data/train/Pug/.hidden.jpg",
        "data/train/.ipynb_checkpoints/0.jpg",
        "data/train/Pug/more/0.jpg",
        "data/train/loose.jpg",
        "data/other/Pug/0.jpg",
        "data/val/Pug/0.jpg",  # valid/ is there, and comes first
        "data/",
        "data/train/Pug/",
    ],
)
def test_an_object_that_training_does_not_read_leaves_the_digest_alone(s3: Any, tmp_path: Path, key: str) -> None:
    """The same photos would be paid for twice, and the bucket could never equal the folder."""
    photos = write_photos(tmp_path / "photos")
    upload(photos, URI)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert in_bucket(s3) == scan(photos).digest()


def test_an_object_counts_as_a_photo_if_and_only_if_the_same_file_does(s3: Any, tmp_path: Path) -> None:
    """A training job sees the bucket as a folder, so both rules must be one."""
    photos = write_photos(tmp_path / "photos")
    odd = ("train/Pug/UPPER.JPEG", "train/Pug/two.dots.png", "train/Pug/a.webp", "train/Pug/jpg", "test/Pug/ä ö.jpg")
    for name in (*odd, "train/Pug/.a.jpg", "train/Pug/b.gif", "valid/Pug/deep/c.jpg", "valid/d.jpg", "val/Pug/e.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(name.encode())
    for path in photos.rglob("*"):
        if path.is_file():
            key = f"data/{path.relative_to(photos).as_posix()}"
            s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    assert in_bucket(s3) == scan(photos).digest()


def put_in_parts(s3: Any, photos: Path, name: str) -> None:
    """Give the object an entity tag that is not its MD5, as any object has under a KMS key."""
    key = f"data/{name}"
    upload_id = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload_id, PartNumber=1, Body=(photos / name).read_bytes())
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload_id, MultipartUpload=parts)


def test_a_bucket_with_val_alone_is_read_as_training_reads_it(s3: Any, tmp_path: Path) -> None:
    """`aws s3 sync` copies a folder under its own names, and a training job then finds val/ in its channel."""
    photos = write_photos(tmp_path / "photos")
    (photos / "valid").rename(photos / "val")
    for path in photos.rglob("*.jpg"):
        s3.put_object(Bucket=BUCKET, Key=f"data/{path.relative_to(photos).as_posix()}", Body=path.read_bytes())
    assert in_bucket(s3) == scan(photos).digest()
    assert data_digest(s3, Location(bucket=BUCKET, prefix="data/")) == scan(photos).digest()


def test_an_upload_says_that_entity_tags_which_are_not_md5s_cannot_be_compared(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_photos(tmp_path / "photos")
    upload(photos, URI)
    put_in_parts(s3, photos, "train/Pug/0.jpg")
    # under a KMS key the SHA-256 shows that the content is the same, and the object stays as it is
    monkeypatch.setattr("ops.data.upload._is_same", lambda *_: True)
    s3.put_object(Bucket=BUCKET, Key="data/train/Pug/untracked.jpg", Body=b"x")
    summary = upload(photos, URI)
    assert (summary.uploaded, summary.is_comparable) == (0, False)
    assert summary.untracked == ["data/train/Pug/untracked.jpg"]
    assert (
        "checksums in this bucket are not MD5s" in CliRunner().invoke(app, ["data", "upload", str(photos), URI]).output
    )


def test_an_object_that_was_uploaded_in_parts_is_replaced(s3: Any, tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos")
    upload(photos, URI)
    put_in_parts(s3, photos, "train/Pug/0.jpg")
    assert in_bucket(s3) != scan(photos).digest()
    upload(photos, URI)  # its SHA-256 is not known either, so it is sent again
    assert in_bucket(s3) == scan(photos).digest()


@pytest.mark.parametrize("change", [{"name": "train/Pug/1.jpg"}, {"size": 2}, {"checksum": "0a-2"}], ids=str)
def test_the_digest_depends_on_name_size_and_checksum_of_each_photo(change: dict[str, Any]) -> None:
    """On the size too: an entity tag that is not an MD5 need not depend on the content alone."""
    photo = PhotoFile(name="train/Pug/0.jpg", size=1, checksum="0a-1")
    other = PhotoFile(name="valid/Pug/0.jpg", size=1, checksum="0b")
    assert digest([replace(photo, **change), other]) != digest([photo, other])


def test_the_checksum_of_an_object_is_its_whole_entity_tag() -> None:
    """After the hyphen is the number of parts of an upload: another number is another object."""
    listed = [{"Key": "data/train/Pug/0.jpg", "Size": 1, "ETag": '"9b2cf535f27731c974343645a3985328-2"'}]
    (photo,) = listed_photos(listed, "data/").values()
    assert photo == PhotoFile(name="train/Pug/0.jpg", size=1, checksum="9b2cf535f27731c974343645a3985328-2")


def test_the_digest_does_not_depend_on_the_order_of_the_photos(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path / "photos"))
    files = [data._file(photo) for photos in data.splits.values() for photo in photos]
    assert digest(reversed(files)) == digest(files) == data.digest()
    assert re.fullmatch("[0-9a-f]{16}", data.digest())


def test_no_photos_have_no_digest() -> None:
    assert digest([]) == ""
