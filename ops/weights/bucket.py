"""Weights in the storage stack's bucket: send them, and find the ones from which the next training starts.

`make deploy` runs `kennel data version` with few packages installed, so this module imports only boto3.
"""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import ClientError

import environments
from contract.weights import PREFIX, content_of, object_key
from ops.data.aws_errors import BucketError, explained
from ops.data.bucket import deployed, objects, split_uri
from ops.session import session
from stacks.settings.parse import load

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 8
"""Attempts to send the file. With their pauses they outlast a connection that is down for half a minute."""

Progress = Callable[[int, int], None]
"""(done, total) in bytes."""

_ABSENT = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """Weights in the bucket."""

    uri: str
    already_there: bool
    """Whether they were in the bucket before, so that nothing was sent."""


def weights_bucket(environment: str = environments.DEFAULT) -> str:
    """The name of the bucket of the environment's storage stack.

    Raises BucketError if there is no such stack yet, or AWS returns an error.
    """
    uri = deployed(environment)
    if not uri:
        raise BucketError(
            f"There is no stack {environments.load(environment).stack('storage')} in this account and region; make it "
            f"(make deploy ENV={environment} STACKS=Storage), or name another environment (kennel --env NAME)."
        )
    return split_uri(uri)[0]


def found(sha256: str, bucket: str, *, environment: str = environments.DEFAULT) -> Weights | None:
    """The weights with this SHA-256, or None if the bucket does not have them.

    They are the newest ones afterwards, so that the next training starts from them: S3 copies them onto themselves.
    Raises BucketError if AWS returns an error.
    """
    key = object_key(sha256)
    with explained(f"the search for weights in {bucket}", needs=f"s3:ListBucket and s3:GetObject on {bucket}"):
        s3 = session(environment).client("s3")
        if not _has(s3, bucket, key, sha256):
            return None
    if newest(bucket, environment=environment) != key:
        with explained(f"the copy of {key} in {bucket}", needs=f"s3:GetObject and s3:PutObject on {bucket}"):
            s3.copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key},
                ChecksumAlgorithm="SHA256",
                MetadataDirective="REPLACE",  # S3 refuses a copy onto itself that changes nothing
            )
    return Weights(uri=f"s3://{bucket}/{key}", already_there=True)


def send(
    content: bytes,
    sha256: str,
    bucket: str,
    *,
    environment: str = environments.DEFAULT,
    progress: Progress | None = None,
) -> Weights:
    """Send weights unless the bucket has them. An interrupted call leaves nothing; the same call sends them again.

    sha256: of the content, in hexadecimal digits. S3 compares it with what it receives. progress: called in this
    thread. Raises BucketError if AWS returns an error.
    """
    there = found(sha256, bucket, environment=environment)
    if there:
        return there
    key = object_key(sha256)
    with explained(f"the upload to {bucket}", needs=f"s3:PutObject on {bucket}"):
        s3 = session(environment).client("s3", config=Config(retries={"mode": "standard", "max_attempts": ATTEMPTS}))
        # One PutObject, not a multipart upload: the object is complete or absent, and S3 refuses another content.
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=_Watched(content, progress),
            ContentLength=len(content),
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=_checksum(sha256),
        )
    return Weights(uri=f"s3://{bucket}/{key}", already_there=False)


def newest(bucket: str, *, environment: str = environments.DEFAULT) -> str:
    """The key of the weights that were sent last; empty if there are none. Raises BucketError if AWS returns an error.

    Only objects that `kennel weights upload` named count: their names say what they contain.
    """
    with explained(f"the listing of s3://{bucket}/{PREFIX}", needs=f"s3:ListBucket on {bucket}"):
        listed = list(objects(session(environment).client("s3"), bucket, PREFIX))
    named = [item for item in listed if content_of(item["Key"])]
    last = max(named, key=lambda item: (item["LastModified"], item["Key"]), default=None)
    return str(last["Key"]) if last else ""


def chosen_in_file(environment: str) -> str:
    """The setting in the environment's file, with its value, that decides what a training starts from, or that there is
    none; empty if the file has no such setting. Raises SettingsError for an invalid file."""
    training = load(environments.load(environment), {}).training
    chosen = {"training.model_data": training.model_data, "training.pretrained_uri": training.pretrained_uri}
    return next((f"{name} = {value!r}" for name, value in chosen.items() if value), "")


def cdk_options(environment: str) -> list[str]:
    """The option for CDK with which the next training starts from the newest weights in the bucket.

    Empty if the bucket has none, or the environment's file has another choice.
    Raises BucketError if AWS returns an error, and SettingsError for an invalid file.
    """
    uri = "" if chosen_in_file(environment) else deployed(environment)
    if not uri:
        return []
    bucket = split_uri(uri)[0]
    key = newest(bucket, environment=environment)
    return ["-c", f"training.pretrained_uri=s3://{bucket}/{key}"] if key else []


def _has(s3: "S3Client", bucket: str, key: str, sha256: str) -> bool:
    """Whether the object exists with this content, which S3 compared when it received it."""
    try:
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return head.get("ChecksumSHA256") == _checksum(sha256)


def _checksum(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


class _Watched(io.BytesIO):
    """The content of a file, which says how much of it was read: for a second attempt it is read again."""

    def __init__(self, content: bytes, progress: Progress | None) -> None:
        super().__init__(content)
        self._total, self._progress = len(content), progress

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if self._progress:
            self._progress(self.tell(), self._total)
        return chunk
