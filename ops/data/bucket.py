"""The bucket with the photos: its address, and what AWS's refusals ask of the operator.

`make deploy` asks for the photos' version where only its own packages are: nothing but boto3 is imported here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

import environments
from ops.session import session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""

_ENDED = "The session of these credentials has ended; run `aws sso login`, or fetch new temporary keys, then again."
_UNKNOWN_KEY = (
    "AWS does not know this access key; set AWS_PROFILE, or both keys anew (with temporary ones AWS_SESSION_TOKEN, "
    "too), then again."
)
_REMEDIES = {
    "ExpiredToken": _ENDED,
    "ExpiredTokenException": _ENDED,
    "TokenRefreshRequired": _ENDED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": (
        "The secret key is not the one of this access key; copy both again (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)."
    ),
    "RequestTimeTooSkewed": "This machine's clock is wrong; set it, then again.",
    "NoSuchBucket": "Deploy the Storage stack first (make deploy STACKS=Storage); use its output DataUri.",
}


class BucketError(Exception):
    """Photos in S3 that cannot be listed or written. The message is one sentence with the remedy."""


def parted(uri: str) -> tuple[str, str]:
    """The bucket and the prefix of s3://bucket/data, the latter with a slash at its end or empty.

    Raises BucketError for what is no such address.
    """
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise BucketError(f"{uri!r} is no S3 address; write s3://BUCKET/PREFIX, such as s3://my-bucket/data.")
    if not _BUCKET.fullmatch(parts.netloc):
        raise BucketError(
            f"No bucket can be called {parts.netloc!r} (3 to 63 small letters, digits, hyphens and dots); copy the "
            "Storage stack's output DataUri."
        )
    return parts.netloc, f"{parts.path.strip('/')}/".lstrip("/")


def deployed(environment: str = environments.DEFAULT) -> str:
    """The output DataUri of the environment's storage stack, such as s3://bucket/data/; empty if there is none yet.

    Raises BucketError where AWS does not say.
    """
    return output_of("storage", "DataUri", environment=environment)


def output_of(kind: str, name: str, *, environment: str) -> str:
    """An output of one of the environment's stacks; empty if the stack, or the output, does not exist yet.

    Raises BucketError where AWS does not say.
    """
    stack = environments.load(environment).stack(kind)
    with explained(f"the look at the stack {stack}", needs="cloudformation:DescribeStacks"):
        try:
            described = session(environment).client("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return ""
            raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0].get("Outputs", [])}
    value: str = outputs.get(name, "")  # a stack that is only just being made has none
    return value


def objects(s3: "S3Client", bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    """The objects under a prefix, as ListObjectsV2 describes them."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


@contextmanager
def explained(doing: str, *, needs: str) -> Iterator[None]:
    """What boto3 raises within the block becomes a BucketError. `doing` is what is done there, `needs` its permissions.

    A client belongs into the block, too: it is where boto3 looks for the profile and the keys.
    """
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = said.get("Code", "unknown"), said.get("Message", "nothing")
        remedy = {"AccessDenied": f"These credentials need {needs}.", **_REMEDIES}.get(code)
        remedy = remedy or f"It says: {_one_line(message)} Mend that, then run the same command again."
        raise BucketError(f"AWS refused {doing} ({code}). {remedy}") from error
    except BotoCoreError as error:
        raise BucketError(_sentence(error, doing)) from error


def _sentence(error: BotoCoreError, doing: str) -> str:
    match error:
        case NoCredentialsError():
            return "There are no AWS credentials; run `aws configure sso` or set AWS_PROFILE, then again."
        case ProfileNotFound():
            missing = error.kwargs["profile"]
            return f"There is no AWS profile {missing!r}; set AWS_PROFILE to one of `aws configure list-profiles`."
        case PartialCredentialsError():
            missing = error.kwargs["cred_var"]
            return f"The AWS key pair lacks its other half, {missing}; set it, or set AWS_PROFILE instead, then again."
        case NoRegionError():
            return "There is no AWS region; set AWS_REGION or the profile's, then again."
        case SSOError() | TokenRetrievalError() | CredentialRetrievalError():
            return f"AWS gave no credentials ({_one_line(error)}); run `aws sso login` or mend the profile, then again."
        case NoConnectionError() | HTTPClientError():
            return f"AWS could not be reached for {doing} ({_one_line(error)}); the same command goes on from there."
        case _:
            return f"AWS could not be asked for {doing} ({_one_line(error)}); mend what it names, then again."


def _one_line(told: object) -> str:
    return " ".join(str(told).split())
