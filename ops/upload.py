"""A data folder to the bucket: only what is not there yet, so that a second call goes on where the first stopped."""

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from training.data import scan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 8


class UploadError(Exception):
    """Photos that cannot be uploaded. The message is one sentence with the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadSummary:
    """What is in the bucket now."""

    uploaded: int
    already_there: int


def upload(folder: Path, target: str, *, progress: Callable[[int, int], None] | None = None) -> UploadSummary:
    """Copy the photos of `folder` to `target`, such as s3://bucket/data, under the same names.

    A photo that the bucket holds with the same size and checksum is not sent again; nothing is ever deleted.
    `progress(done, total)` counts photos and is called in this thread.

    Raises DataError where the folder is not a data folder, UploadError where the bucket cannot be written.
    """
    data = scan(folder)
    bucket, prefix = _split(target)
    s3 = boto3.Session().client("s3")
    files = {
        f"{prefix}{photo.path.relative_to(folder).as_posix()}": photo.path
        for photos in data.splits.values()
        for photo in photos
    }
    try:
        there = _listing(s3, bucket, prefix)
        missing = {key: path for key, path in files.items() if not _is_there(path, there.get(key))}
        _send(s3, bucket, missing, already=len(files) - len(missing), progress=progress)
    except NoCredentialsError as error:
        raise UploadError(
            "There are no AWS credentials; run `aws configure sso` or set AWS_PROFILE, then again."
        ) from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise UploadError(f"The bucket {bucket} refused the upload ({code}). {_remedy(code)}") from error
    except BotoCoreError as error:
        raise UploadError(f"The upload to {bucket} stopped ({error}); the same command goes on from there.") from error
    return UploadSummary(uploaded=len(missing), already_there=len(files) - len(missing))


def _split(target: str) -> tuple[str, str]:
    parts = urlsplit(target)
    if parts.scheme != "s3" or not parts.netloc:
        raise UploadError(f"The target is {target!r}; give an S3 address such as s3://my-bucket/data.")
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def _listing(s3: "S3Client", bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """Size and entity tag of each object."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"]: (item["Size"], item["ETag"].strip('"')) for page in pages for item in page.get("Contents", [])}


def _is_there(path: Path, found: tuple[int, str] | None) -> bool:
    if found is None or found[0] != path.stat().st_size:
        return False
    # The tag of an object sent in one piece is its MD5, except under a KMS key: there the size has to do.
    is_md5 = len(found[1]) == 32
    return not is_md5 or hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == found[1]


def _send(
    s3: "S3Client",
    bucket: str,
    files: dict[str, Path],
    *,
    already: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    total = already + len(files)
    if progress:
        progress(already, total)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = {pool.submit(_put, s3, bucket, key, path) for key, path in files.items()}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if progress:
                    progress(total - len(waiting), total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # on Ctrl-C the photos under way are finished, no more begun


def _put(s3: "S3Client", bucket: str, key: str, path: Path) -> None:
    # One PUT each: photos are small, and the entity tag is then the checksum that the next call compares.
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def _remedy(code: str) -> str:
    return {
        "NoSuchBucket": "Deploy the Storage stack first (make deploy STACKS=Storage); use its output DataUri.",
        "AccessDenied": "These credentials need s3:ListBucket and s3:PutObject on it.",
    }.get(code, "The code says why; the same command goes on where this one stopped.")
