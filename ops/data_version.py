"""What the photos in the bucket are called: the digest of their listing, for the setting training.data_version."""

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOT_THERE = ("NoSuchBucket", "404")


class DataVersionError(Exception):
    """Photos that cannot be listed. The message is one sentence with the remedy."""


def data_version(target: str = "", *, project: str = "kennel") -> str:
    """The digest of the photos under `target`, such as s3://bucket/data; empty where there are none yet.

    Without a target, of those in the bucket of this project's storage stack; empty too before its first deploy.
    It reads each photo's name, size and checksum, as the training job's handler does, and no photo itself.
    """
    try:
        uri = target or _deployed(project)
        return _digest(boto3.client("s3"), uri) if uri else ""
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DataVersionError(
            "There are no AWS credentials; run `aws configure sso` or set AWS_PROFILE, then again."
        ) from error
    except NoRegionError as error:
        raise DataVersionError("There is no AWS region; set AWS_REGION or the profile's, then again.") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        what = target or f"the stack {project}-storage"
        raise DataVersionError(f"AWS refused to list {what} ({code}): {error.response['Error']['Message']}") from error
    except BotoCoreError as error:
        raise DataVersionError(f"AWS could not be reached: {error}") from error


def _deployed(project: str) -> str:
    """The output DataUri of the storage stack, or empty where it does not exist."""
    try:
        described = boto3.client("cloudformation").describe_stacks(StackName=f"{project}-storage")
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return ""
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0].get("Outputs", [])}
    uri: str = outputs.get("DataUri", "")  # a stack that is only just being made has none
    return uri


def _digest(s3: "S3Client", uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise DataVersionError(f"{uri} names no bucket; write s3://BUCKET/PREFIX, such as s3://my-bucket/data.")
    prefix = f"{parts.path.strip('/')}/".lstrip("/")
    digest, photos = hashlib.sha256(), 0
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=parts.netloc, Prefix=prefix):
            for item in page.get("Contents", []):  # S3 lists in the order of the keys
                photos += 1
                digest.update(f"{item['Key'].removeprefix(prefix)}\t{item['Size']}\t{item['ETag']}\n".encode())
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_THERE:
            raise
    return digest.hexdigest() if photos else ""
