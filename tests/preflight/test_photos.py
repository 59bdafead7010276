"""The photos to train on, and the objects that the settings name."""

from typing import Any

import pytest

from contract.photos import digest, listed_photos
from tests.preflight.account import Account, RefusedCallError
from tests.preflight.ready import BUCKET, client, findings, only, photos

MODEL = "s3://kennel-photos/model.tar.gz"


def delete(account: Account, prefix: str) -> None:
    s3 = client(account, "s3")
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])


def put(account: Account, key: str, body: bytes = b"photo") -> None:
    client(account, "s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def test_photos_of_two_breeds_in_each_split_are_enough(account: Account) -> None:
    assert findings("photos") == []


def test_before_the_first_deploy_there_is_no_bucket(account: Account) -> None:
    account.refuse(
        "cloudformation.DescribeStacks",
        RefusedCallError("ValidationError", "Stack with id kennel-storage does not exist"),
    )

    finding = only("photos")

    assert finding.severity == "error"
    assert finding.remedy == "make deploy STACKS=Storage, then make data-upload DIR=dogImages"


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_split_without_photos(account: Account, split: str) -> None:
    delete(account, f"data/{split}/")

    finding = only("photos")

    assert finding.severity == "error"
    assert finding.summary == f"There are no photos in s3://{BUCKET}/data/{split}/."
    assert finding.remedy == "make data-upload DIR=dogImages"


def test_one_breed_is_too_few(account: Account) -> None:
    for split in ("train", "valid", "test"):
        delete(account, f"data/{split}/Beagle")

    assert "train/ has only the breed Akita" in only("photos").summary


def test_a_breed_that_only_the_test_has(account: Account) -> None:
    put(account, "data/test/Collie/1.jpg")

    finding = only("photos")

    assert finding.severity == "error"
    assert "test/ has the breed Collie, but train/ has no photos of it" in finding.summary


def test_a_folder_val_is_the_split_valid(account: Account) -> None:
    delete(account, "data/valid/")
    put(account, "data/val/Akita/1.jpg")

    assert findings("photos") == []


def test_empty_files_are_a_warning(account: Account) -> None:
    put(account, "data/train/Akita/2.jpg", b"")

    finding = only("photos")

    assert finding.severity == "warning"
    assert "1 photos are empty files" in finding.summary


def test_a_digest_of_other_photos(account: Account) -> None:
    assert (
        "training.data_version is 0123456789abcdef"
        in only("photos", {"training.data_version": "0123456789abcdef"}).summary
    )


def test_the_digest_of_these_photos(account: Account) -> None:
    listing = client(account, "s3").list_objects_v2(Bucket=BUCKET, Prefix="data/")["Contents"]
    right = digest(listed_photos(listing, "data/").values())

    assert findings("photos", {"training.data_version": right}) == []


def test_another_bucket_is_read_where_the_setting_says(account: Account) -> None:
    client(account, "s3").create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    assert "s3://theirs/dogs/train/" in only("photos", {"training.data_uri": "s3://theirs/dogs/"}).summary


def test_another_bucket_that_does_not_exist(account: Account) -> None:
    assert (
        "The bucket of the photos, nowhere, does not exist"
        in only("photos", {"training.data_uri": "s3://nowhere/dogs/"}).summary
    )


def test_photos_that_the_stack_no_longer_reads_do_not_count(account: Account) -> None:
    assert "s3://kennel-photos/other/train/" in only("photos", {"storage.data_prefix": "other/"}).summary


def test_a_given_artifact_needs_no_photos(account: Account) -> None:
    delete(account, "data/")
    put(account, "model.tar.gz", b"\x1f\x8b and more")

    assert findings("photos", {"training.model_data": MODEL}) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "There is no such object: training.model_data is s3://kennel-photos/model.tar.gz."),
        (b"", "The object is empty"),
        (b"not an archive, but long enough", "which is not a .tar.gz archive"),
    ],
)
def test_an_artifact_that_cannot_be_served(account: Account, body: bytes | None, says: str) -> None:
    if body is not None:
        put(account, "model.tar.gz", body)

    finding = only("photos", {"training.model_data": MODEL})

    assert finding.severity == "error"
    assert says in finding.summary


def test_an_artifact_in_a_bucket_that_does_not_exist(account: Account) -> None:
    assert (
        "The bucket nowhere does not exist"
        in only("photos", {"training.model_data": "s3://nowhere/model.tar.gz"}).summary
    )


def test_an_archived_artifact(account: Account) -> None:
    account.refuse("s3.GetObject", RefusedCallError("InvalidObjectState", "Archived.", 403))

    assert "S3 Glacier" in only("photos", {"training.model_data": MODEL}).summary


def far_away(account: Account) -> Any:
    s3 = client(account, "s3", "us-west-2")
    s3.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return s3


def test_an_artifact_in_another_region(account: Account) -> None:
    far_away(account).put_object(Bucket="far-away", Key="model.tar.gz", Body=b"\x1f\x8b")

    finding = only("photos", {"training.model_data": "s3://far-away/model.tar.gz"})

    assert "in us-west-2; SageMaker reads only buckets of its own region, eu-west-1" in finding.summary


def test_photos_in_another_region(account: Account) -> None:
    far_away(account)
    photos(account, bucket="far-away", region="us-west-2")

    finding = only("photos", {"training.data_uri": "s3://far-away/data/"})

    assert finding.severity == "error"
    assert "training.data_uri is s3://far-away/data/, in us-west-2" in finding.summary


@pytest.mark.parametrize(("body", "count"), [(b"\x08\0\0\0\0\0\0\0{}      ", 0), (b"a pickle, by its name", 1)])
def test_pretrained_weights_are_a_safetensors_file(account: Account, body: bytes, count: int) -> None:
    put(account, "resnet50.safetensors", body)

    found = findings("photos", {"training.pretrained_uri": "s3://kennel-photos/resnet50.safetensors"})

    assert len(found) == count


def test_an_artifact_that_these_credentials_may_not_read_is_unknown(account: Account) -> None:
    account.refuse("s3.GetObject", RefusedCallError("AccessDenied", "Access Denied", 403))

    finding = only("photos", {"training.model_data": MODEL})

    assert finding.severity == "unknown"
    assert "s3:GetObject" in finding.remedy


def test_photos_that_were_left_out_of_an_upload(account: Account) -> None:
    photos(account, leave_out="data/valid/")

    assert "data/valid/" in only("photos").summary


def test_a_breed_whose_accents_have_another_form_in_another_split_is_one_breed(account: Account) -> None:
    for split, breed in (("train", "L\u00f6wchen"), ("valid", "Lo\u0308wchen"), ("test", "L\u00f6wchen")):
        put(account, f"data/{split}/{breed}/1.jpg")
    assert findings("photos") == []


def test_two_folders_of_one_breed_are_named_by_their_code_points(account: Account) -> None:
    for breed in ("L\u00f6wchen", "Lo\u0308wchen"):
        put(account, f"data/train/{breed}/1.jpg")

    finding = only("photos")

    assert finding.severity == "error"
    assert (
        "train/ has two folders of the breed L\u00f6wchen: one name contains U+0308, the other U+00F6"
        in finding.summary
    )
    assert finding.remedy == "Copy the photos of one of them to the other, and delete it."
