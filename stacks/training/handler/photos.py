"""The photos of a training job, as their bucket lists them."""

from typing import Any

from contract.photos import SPLITS, digest, is_digest, listed_photos, two_folders

from .aws_errors import TrainingError
from .request import JobRequest, Location


def data_digest(s3: Any, data: Location) -> str:
    """The digest of the photos in the bucket.

    Raises `TrainingError` for a split with none, or with two folders of one breed.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=data.bucket, Prefix=data.prefix)
    objects = (item for page in pages for item in page.get("Contents", []))
    photos = listed_photos(objects, data.prefix).values()
    present = {photo.name.partition("/")[0] for photo in photos}
    missing = [f"{data.uri}{split}/" for split in SPLITS if split not in present]
    if missing:
        raise TrainingError(
            f"There are no photos in {' and none in '.join(missing)} to train on, so no instance was started. "
            f"Upload your photos, then deploy again: kennel data upload DIR {data.uri.rstrip('/')}"
        )
    if twice := two_folders(photos, data.uri):
        raise TrainingError(
            f"{twice} Copy the photos of one of them to the other and delete it, then deploy again. No instance was "
            "started."
        )
    return digest(photos)


def check_photos(s3: Any, request: JobRequest) -> None:
    """Check before any cost that the photos exist, and are still those of `training.data_version`.

    Raises `TrainingError` if not.
    """
    found, named = data_digest(s3, request.data), request.data_version
    if is_digest(named) and found != named:
        raise TrainingError(
            f"The photos under {request.data.uri} changed during the deploy: their digest is {found}, and "
            f"training.data_version is {named}. No instance was started. Deploy again: make deploy"
        )
