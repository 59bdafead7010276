"""Upload a data folder to the bucket. Only missing photos are sent, so a second call continues an interrupted one."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError

import environments
from contract.declarations import declarations
from contract.photos import PhotoFile, digest, listed_photos
from inference.photo.file_types import media_type
from ops.data.aws_errors import BucketError, explained
from ops.data.bucket import objects, split_uri, training_reads
from ops.data.keys import keys_of
from ops.session import session
from stacks.settings import TrainingSettings
from training.data.dataset import DataError, DataSet, scan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 8
ATTEMPTS = 8
"""Attempts to send a photo. With their pauses they outlast a connection that is down for half a minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Progress of an upload. Photos that were in the bucket already count as done."""

    photos: int
    of_photos: int
    done_bytes: int
    of_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadSummary:
    """The result of an upload."""

    target: str
    """The address of the photos: s3://bucket/data."""
    digest: str
    """Of the photos in the folder: DataSet.digest."""
    bucket_digest: str
    """Of the photos in the bucket: what `kennel data version` prints, and what names the training job."""
    uploaded: int
    already_there: int
    untracked: Sequence[str]
    """Keys of the photos that are in the bucket and not in the folder. Training uses them too."""
    is_comparable: bool
    """Whether S3's checksums are MD5s, so that the same photos have the same digest in a folder and in the bucket."""


def upload(
    folder: Path,
    target: str = "",
    *,
    environment: str = environments.DEFAULT,
    links_to: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> UploadSummary:
    """Copy the photos of `folder` to `target`, such as s3://bucket/data, under their names (`keys_of`).

    Without a target they go to where the environment's training reads them. Photos that the bucket has with the same
    size and checksum are not sent again, and nothing is deleted. An interrupted upload leaves complete photos, and the
    next call sends the others. `progress` is called in this thread.

    links_to: a folder outside of `folder` that symbolic links may lead to; any other such link is refused.

    Raises DataError if the folder is not a data folder or a photo's name is not UTF-8, BucketError if no training could
    read the target, or if the bucket cannot be listed or written.
    """
    data = scan(folder, links_to=links_to)
    _check_names(data)
    target = target or _deployed_target(environment, folder)
    bucket, prefix = split_uri(target)
    _check_target(bucket, prefix)
    named = {f"{prefix}{data.name(photo)}": photo.path for photos in data.splits.values() for photo in photos}
    with explained(f"the upload to {bucket}", needs="s3:ListBucket and s3:PutObject on it"):
        s3 = session(environment).client(
            "s3",
            config=Config(max_pool_connections=CONNECTIONS, retries={"mode": "standard", "max_attempts": ATTEMPTS}),
        )
        before = listed_photos(objects(s3, bucket, prefix), prefix)
        files = keys_of(named, before)
        uploaded = _upload_all(s3, bucket, files, before, progress)
        after = listed_photos(objects(s3, bucket, prefix), prefix)
    here, there = data.digest(), digest(photo for key, photo in after.items() if key in files)
    return UploadSummary(
        target=f"s3://{bucket}/{prefix}".rstrip("/"),
        digest=here,
        bucket_digest=digest(after.values()),
        uploaded=uploaded,
        already_there=len(files) - uploaded,
        untracked=sorted(after.keys() - files.keys()),
        is_comparable=here == there,
    )


def _check_target(bucket: str, prefix: str) -> None:
    """Raise BucketError for a target that the setting training.data_uri would refuse, before anything is sent."""
    if declarations(TrainingSettings)["data_uri"].error("", f"s3://{bucket}/{prefix}"):
        reason = "a prefix has no spaces, commas, * ? or $" if prefix else "the address has no prefix"
        raise BucketError(
            f"A training cannot read its photos from s3://{bucket}/{prefix}, so nothing was sent: {reason}. Write for "
            f"example s3://{bucket}/data"
        )


def _check_names(data: DataSet) -> None:
    """Raise DataError for names that are not UTF-8, the only encoding of an S3 key, before anything is sent."""
    names = [data.name(photo) for photos in data.splits.values() for photo in photos]
    foreign = [name for name in names if not _is_utf8(name)]
    if foreign:
        raise DataError(
            f"The name of {foreign[0]!r} is not UTF-8, which S3 requires, so nothing was sent. Rename the file, then "
            f"upload again. (Photos with such names: {len(foreign)}.)"
        )


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _deployed_target(environment: str, folder: Path) -> str:
    uri = training_reads(environment)
    if not uri:
        raise BucketError(
            f"There is no stack {environments.load(environment).stack('storage')} in this account and region; make it "
            f"(make deploy ENV={environment} STACKS=Storage), or name another environment (kennel --env NAME) or a "
            f"bucket: kennel data upload {folder} s3://BUCKET/data"
        )
    return uri


def _upload_all(
    s3: "S3Client",
    bucket: str,
    files: Mapping[str, Path],
    there: Mapping[str, PhotoFile],
    progress: Callable[[Progress], None] | None,
) -> int:
    """Send each photo that the bucket does not have with the same content. Returns how many were sent."""
    sizes = {key: path.stat().st_size for key, path in files.items()}
    total, of_bytes = len(files), sum(sizes.values())
    sent = done_bytes = 0

    def report(left: int) -> None:
        if progress:
            progress(Progress(photos=total - left, of_photos=total, done_bytes=done_bytes, of_bytes=of_bytes))

    report(total)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        key_of = {pool.submit(_put, s3, bucket, key, path, there.get(key)): key for key, path in files.items()}
        waiting = set(key_of)
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                sent += sum(future.result() for future in done)
                done_bytes += sum(sizes[key_of[future]] for future in done)
                report(len(waiting))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # on Ctrl-C, running uploads finish and no other starts
    return sent


def _put(s3: "S3Client", bucket: str, key: str, path: Path, found: PhotoFile | None) -> bool:
    """Send the photo unless `found` has the same content. Returns whether it was sent."""
    content = path.read_bytes()
    if found and found.size == len(content) and _is_same(s3, bucket, key, found.checksum, content):
        return False
    # One PutObject for each photo, not a multipart upload: the object is complete or absent, and its entity tag is the
    # MD5 of its content.
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=content,
        ContentType=media_type(content) or "application/octet-stream",  # a PNG may be named .jpg
        ChecksumAlgorithm="SHA256",  # S3 refuses a body that changed in transit, and keeps the checksum for `_is_same`
    )
    return True


def _is_same(s3: "S3Client", bucket: str, key: str, tag: str, content: bytes) -> bool:
    if hashlib.md5(content, usedforsecurity=False).hexdigest() == tag:
        return True
    # Under a KMS key the entity tag is not the MD5, so the SHA-256 that was sent with the photo is compared.
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    try:
        return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256") == checksum
    except ClientError:
        return False  # these credentials may write but not read, so the photo is sent again
