"""What the photos in the bucket are called: the digest of their listing, for the setting training.data_version."""

import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ops.data.bucket import deployed, explained, parted, session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOT_THERE = ("NoSuchBucket", "404")


def data_version(target: str = "", *, project: str = "kennel") -> str:
    """The digest of the photos under `target`, such as s3://bucket/data; empty where there are none yet.

    Without a target, of those in the bucket of this project's storage stack; empty too before its first deploy.
    It reads each photo's name, size and checksum, as the training job's handler does, and no photo itself.

    Raises BucketError where the photos cannot be listed.
    """
    uri = target or deployed(project)
    if not uri:
        return ""
    bucket, prefix = parted(uri)
    with explained(f"the listing of {uri}", needs=f"s3:ListBucket on {bucket}"):
        return _digest(session().client("s3"), bucket, prefix)


def _digest(s3: "S3Client", bucket: str, prefix: str) -> str:
    digest, photos = hashlib.sha256(), 0
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):  # S3 lists in the order of the keys
                photos += 1
                digest.update(f"{item['Key'].removeprefix(prefix)}\t{item['Size']}\t{item['ETag']}\n".encode())
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_THERE:
            raise
    return digest.hexdigest() if photos else ""
