"""Upload a data folder to the bucket. Only missing photos are sent, so a second call continues an interrupted one."""

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError

import environments
from contract.photos import PhotoFile, digest, listed_photos
from ops.data.bucket import BucketError, deployed, explained, objects, parted
from ops.session import session
from training.data.dataset import scan

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
    """Keys of the photos that are in the bucket and not in the folder. A training job uses them, too."""

    @property
    def is_comparable(self) -> bool:
        """Whether S3's checksums are MD5s, so that equal photos in a folder and in the bucket have equal digests."""
        return bool(self.untracked) or self.digest == self.bucket_digest


def upload(
    folder: Path,
    target: str = "",
    *,
    environment: str = environments.DEFAULT,
    progress: Callable[[Progress], None] | None = None,
) -> UploadSummary:
    """Copy the photos of `folder` to `target`, such as s3://bucket/data, under the same names.

    Without a target, to the bucket of the environment's storage stack. A photo that the bucket holds with the same size
    and checksum is not sent again; nothing is ever deleted. An upload that was ended leaves whole photos, and the next
    one sends the others. `progress` is called in this thread.

    Raises DataError where the folder is not a data folder, BucketError where the bucket cannot be written.
    """
    data = scan(folder)
    target = target or _of_the_stack(environment, folder)
    bucket, prefix = parted(target)
    files = {f"{prefix}{data.name(photo)}": photo.path for photos in data.splits.values() for photo in photos}
    with explained(f"the upload to {bucket}", needs="s3:ListBucket and s3:PutObject on it"):
        s3 = session(environment).client(
            "s3",
            config=Config(max_pool_connections=CONNECTIONS, retries={"mode": "standard", "max_attempts": ATTEMPTS}),
        )
        before = listed_photos(objects(s3, bucket, prefix), prefix)
        uploaded = _bring(s3, bucket, files, before, progress)
        after = listed_photos(objects(s3, bucket, prefix), prefix)
    return UploadSummary(
        target=f"s3://{bucket}/{prefix}".rstrip("/"),
        digest=data.digest(),
        bucket_digest=digest(after.values()),
        uploaded=uploaded,
        already_there=len(files) - uploaded,
        untracked=sorted(after.keys() - files.keys()),
    )


def _of_the_stack(environment: str, folder: Path) -> str:
    uri = deployed(environment)
    if not uri:
        raise BucketError(
            f"There is no stack {environments.load(environment).stack('storage')} in this account and region; make it "
            f"(make deploy ENV={environment} STACKS=Storage), or name another environment (kennel --env NAME) or a "
            f"bucket: kennel data upload {folder} s3://BUCKET/data"
        )
    return uri


def _bring(
    s3: "S3Client",
    bucket: str,
    files: Mapping[str, Path],
    there: Mapping[str, PhotoFile],
    progress: Callable[[Progress], None] | None,
) -> int:
    """Compare each photo with the bucket's, and send it where they differ. Returns how many were sent."""
    sizes = {key: path.stat().st_size for key, path in files.items()}
    total, of_bytes = len(files), sum(sizes.values())
    sent = done_bytes = 0

    def tell(left: int) -> None:
        if progress:
            progress(Progress(photos=total - left, of_photos=total, done_bytes=done_bytes, of_bytes=of_bytes))

    tell(total)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        key_of = {pool.submit(_put, s3, bucket, key, path, there.get(key)): key for key, path in files.items()}
        waiting = set(key_of)
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                sent += sum(future.result() for future in done)
                done_bytes += sum(sizes[key_of[future]] for future in done)
                tell(len(waiting))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)  # on Ctrl-C the photos under way are finished, no more begun
    return sent


def _put(s3: "S3Client", bucket: str, key: str, path: Path, found: PhotoFile | None) -> bool:
    """Whether the photo had to be sent."""
    content = path.read_bytes()
    if found and found.size == len(content) and _is_same(s3, bucket, key, found.checksum, content):
        return False
    # One PutObject for each photo: it is there whole or not at all, and its entity tag is the MD5 of its content, which
    # the digest of an upload in several parts would not be.
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
