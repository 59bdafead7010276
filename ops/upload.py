"""A data folder to the bucket: only what is not there yet, so that a second call goes on where the first stopped."""

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from training.data import SUFFIXES, scan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 8
ATTEMPTS = 8
"""To send a photo: a line that is down for half a minute ends nothing."""


class UploadError(Exception):
    """Photos that cannot be uploaded. The message is one sentence with the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadSummary:
    """What is in the bucket now."""

    uploaded: int
    already_there: int
    strangers: Sequence[str]
    """Photos that are in the bucket and not in the folder: keys. Training learns from them, too."""


def upload(folder: Path, target: str, *, progress: Callable[[int, int], None] | None = None) -> UploadSummary:
    """Copy the photos of `folder` to `target`, such as s3://bucket/data, under the same names.

    A photo that the bucket holds with the same size and checksum is not sent again; nothing is ever deleted. An upload
    that was ended leaves whole photos, and the next one sends the others. `progress(done, total)` counts photos and is
    called in this thread.

    Raises DataError where the folder is not a data folder, UploadError where the bucket cannot be written.
    """
    data = scan(folder)
    bucket, prefix = _split(target)
    s3 = boto3.Session().client(
        "s3", config=Config(max_pool_connections=CONNECTIONS, retries={"mode": "standard", "max_attempts": ATTEMPTS})
    )
    files = {f"{prefix}{data.name(photo)}": photo.path for photos in data.splits.values() for photo in photos}
    try:
        there = _listing(s3, bucket, prefix)
        uploaded = _bring(s3, bucket, files, there, progress)
    except NoCredentialsError as error:
        raise UploadError(
            "There are no AWS credentials; run `aws configure sso` or set AWS_PROFILE, then again."
        ) from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise UploadError(f"The bucket {bucket} refused the upload ({code}). {_remedy(code)}") from error
    except BotoCoreError as error:
        raise UploadError(f"The upload to {bucket} stopped ({error}); the same command goes on from there.") from error
    strangers = sorted(key for key in there.keys() - files.keys() if Path(key).suffix.lower() in SUFFIXES)
    return UploadSummary(uploaded=uploaded, already_there=len(files) - uploaded, strangers=strangers)


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


def _bring(
    s3: "S3Client",
    bucket: str,
    files: Mapping[str, Path],
    there: Mapping[str, tuple[int, str]],
    progress: Callable[[int, int], None] | None,
) -> int:
    """Compare each photo with the bucket's, and send it where they differ. Returns how many were sent."""
    sent, total = 0, len(files)
    if progress:
        progress(0, total)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = {pool.submit(_put, s3, bucket, key, path, there.get(key)) for key, path in files.items()}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                sent += sum(future.result() for future in done)
                if progress:
                    progress(total - len(waiting), total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # on Ctrl-C the photos under way are finished, no more begun
    return sent


def _put(s3: "S3Client", bucket: str, key: str, path: Path, found: tuple[int, str] | None) -> bool:
    """Whether the photo had to be sent."""
    content = path.read_bytes()
    if found and found[0] == len(content) and _is_same(s3, bucket, key, found[1], content):
        return False
    # One PUT each, so that a photo is there whole or not at all: they are small.
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=content,
        ContentType=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        ChecksumAlgorithm="SHA256",  # S3 refuses what was garbled on the way, and keeps it for the next comparison
    )
    return True


def _is_same(s3: "S3Client", bucket: str, key: str, tag: str, content: bytes) -> bool:
    if hashlib.md5(content, usedforsecurity=False).hexdigest() == tag:
        return True
    # Under a KMS key the entity tag is no MD5, and only the checksum that came with the photo can tell.
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    try:
        return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256") == checksum
    except ClientError:
        return False  # these credentials may write and not read: the photo is sent again


def _remedy(code: str) -> str:
    return {
        "NoSuchBucket": "Deploy the Storage stack first (make deploy STACKS=Storage); use its output DataUri.",
        "AccessDenied": "These credentials need s3:ListBucket and s3:PutObject on it.",
    }.get(code, "The code says why; the same command goes on where this one stopped.")
