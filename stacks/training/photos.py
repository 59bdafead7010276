"""Where the job finds its photos: in the bucket of the storage stack, or in a bucket that exists already."""

from dataclasses import dataclass

from aws_cdk import Aws

from stacks.common.iam import allow
from stacks.storage.bucket_access import BucketAccess, BucketGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class Photos:
    """A prefix of a bucket, and the right to read it and nothing else there."""

    bucket: str
    """The name of a bucket that exists already; empty for the storage stack's bucket."""
    bucket_arn: str
    prefix: str
    """It ends with a slash."""
    reader: BucketGrant

    @classmethod
    def at(cls, uri: str, storage: BucketAccess) -> "Photos":
        """The photos of the setting training.data_uri; if it is empty, those of the storage stack."""
        if not uri:
            prefix = storage.settings.data_prefix
            return cls(bucket="", bucket_arn=storage.arn, prefix=prefix, reader=storage.read_photos)
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        arn = f"arn:{Aws.PARTITION}:s3:::{bucket}"
        objects = f"{arn}/{prefix}*"
        listing = allow("s3:ListBucket", on=arn, conditions={"StringLike": {"s3:prefix": f"{prefix}*"}})
        reader = BucketGrant([allow("s3:GetObject", on=objects), listing], objects=[objects])
        return cls(bucket=bucket, bucket_arn=arn, prefix=prefix, reader=reader)
