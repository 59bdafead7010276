"""The bucket with the photos: its URI, its objects, and where an environment's training reads them.

`make deploy` runs `kennel data version` with few packages installed, so this module imports only boto3.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import environments
from ops.data.aws_errors import BucketError, explained
from ops.session import session
from stacks.settings.parse import load

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


def split_uri(uri: str) -> tuple[str, str]:
    """The bucket and the prefix of s3://bucket/data. The prefix ends with a slash or is empty.

    Raises BucketError if `uri` is not an S3 URI.
    """
    bucket, key = bucket_and_key(uri)
    if not bucket:
        raise BucketError(f"{uri!r} is not an S3 URI. Write s3://BUCKET/PREFIX, such as s3://my-bucket/data.")
    if not _BUCKET.fullmatch(bucket):
        raise BucketError(
            f"{bucket!r} cannot be a bucket's name (3 to 63 lower-case letters, digits, hyphens, dots). "
            "Correct it; the bucket of an environment is in the Storage stack's output DataUri."
        )
    return bucket, f"{key.strip('/')}/".lstrip("/")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of s3://bucket/key, both empty for another scheme. Unlike a URL's path, a key may contain ? and #."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return (bucket, key) if scheme == "s3" else ("", "")


def deployed(environment: str = environments.DEFAULT) -> str:
    """The output DataUri of the environment's storage stack, such as s3://bucket/data/; empty if there is none yet.

    Raises BucketError if AWS returns an error.
    """
    return output_of("storage", "DataUri", environment=environment)


def training_reads(environment: str = environments.DEFAULT) -> str:
    """Where the environment's training reads its photos: training.data_uri of its file, or what `deployed` returns.

    Raises BucketError if AWS returns an error, and SettingsError for an invalid setting.
    """
    return data_uri(environment) or deployed(environment)


def data_uri(environment: str) -> str:
    """The setting training.data_uri in the environment's file. Raises SettingsError for an invalid file."""
    return load(environments.load(environment), {}).training.data_uri


def output_of(kind: str, name: str, *, environment: str) -> str:
    """An output of one of the environment's stacks; empty if the stack, or the output, does not exist yet.

    Raises BucketError if AWS returns an error.
    """
    stack = environments.load(environment).stack(kind)
    with explained(f"the call that describes the stack {stack}", needs="cloudformation:DescribeStacks"):
        try:
            described = session(environment).client("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return ""
            raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0].get("Outputs", [])}
    value: str = outputs.get(name, "")  # a stack that is being created has no outputs yet
    return value


def objects(s3: "S3Client", bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """The objects under a prefix, as ListObjectsV2 describes them."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])
