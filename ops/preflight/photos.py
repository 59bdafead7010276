"""The photos to train on, as their bucket lists them."""

from collections import Counter
from collections.abc import Iterator

from botocore.exceptions import ClientError

from contract.photos import SPLITS, breed_folders, digest, is_digest, listed_photos, two_folders
from ops.data.bucket import objects, split_uri
from ops.preflight.artifacts import in_another_region
from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, warning
from ops.preflight.stacks import described
from ops.preflight.target import Target

SUBJECT = "photos"


def checks(target: Target) -> Iterator[Check]:
    if target.trains:
        yield Check(
            subject=SUBJECT,
            title="the photos",
            needs="cloudformation:DescribeStacks, and s3:ListBucket on their bucket",
            find=photos,
        )


def photos(target: Target) -> Iterator[Finding]:
    """Photos that are missing, or on which the training would fail."""
    uri = _address(target)
    upload = f"make data-upload DIR=dogImages{target.env_option}"
    if not uri:
        yield error(
            SUBJECT,
            "There are no photos to train on yet, because there is no bucket.",
            f"make deploy STACKS=Storage{target.env_option}, then {upload}",
        )
        return
    if target.settings.training.data_uri:
        upload += f" ARGS={uri}"
    bucket, prefix = split_uri(uri)
    s3 = target.client("s3")
    try:
        if target.settings.training.data_uri:
            region = s3.head_bucket(Bucket=bucket)["BucketRegion"]
            yield from in_another_region(target, "training.data_uri", uri, region)
        found = listed_photos(objects(s3, bucket, prefix), prefix)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        yield error(SUBJECT, f"The bucket of the photos, {bucket}, does not exist.", "-c training.data_uri=s3://...")
        return
    breeds = {split: Counter[str]() for split in SPLITS}
    folders = breed_folders(found.values())
    for split, breed in folders:
        breeds[split][breed] += 1
    if empty := [f"{uri}{split}/" for split in SPLITS if not breeds[split]]:
        yield error(SUBJECT, f"There are no photos in {' and none in '.join(empty)}.", upload)
        return
    if twice := two_folders(found.values(), uri):
        yield error(SUBJECT, twice, "Copy the photos of one of them to the other, and delete it.")
    if len(breeds["train"]) < 2:
        only = next(iter(breeds["train"]))
        yield error(SUBJECT, f"{uri}train/ has only the breed {only}; a classifier needs two or more.", upload)
    for split in SPLITS[1:]:
        if foreign := sorted(breeds[split].keys() - breeds["train"].keys()):
            place = folders[split, foreign[0]][0]
            yield error(
                SUBJECT,
                f"{uri}{split}/ has the breed {foreign[0]}, but train/ has no photos of it, so the training would end "
                f"with an error. (Such breeds: {len(foreign)}.)",
                f"Upload training photos of it, or remove it: aws s3 rm --recursive {uri}{split}/{place}/",
            )
    if empty_files := [key for key, photo in found.items() if not photo.size]:
        yield warning(
            SUBJECT,
            f"{len(empty_files)} photos are empty files, such as s3://{bucket}/{empty_files[0]}; training skips them.",
            upload,
        )
    named, there = target.settings.training.data_version, digest(found.values())
    if is_digest(named) and named != there:
        yield error(
            SUBJECT,
            f"training.data_version is {named}, but the digest of the photos in {uri} is {there}.",
            "Leave the setting out: make deploy passes the right one.",
        )


def _address(target: Target) -> str:
    """Where the training reads its photos; empty if that bucket does not exist yet."""
    if target.settings.training.data_uri:
        return target.settings.training.data_uri
    storage = described(target, "storage") or {}
    outputs = {output["OutputKey"]: output["OutputValue"] for output in storage.get("Outputs", [])}
    bucket = outputs.get("BucketName")
    return f"s3://{bucket}/{target.settings.storage.data_prefix}" if bucket else ""
