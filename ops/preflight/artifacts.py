"""The objects in S3 that the settings name: a finished artifact, and pretrained weights."""

from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from ops.data.bucket import bucket_and_key
from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.target import Target

SUBJECT = "photos"

PERMISSIONS = "s3:ListBucket on its bucket and s3:GetObject on it"
GZIP = b"\x1f\x8b"


def checks(target: Target) -> Iterator[Check]:
    training = target.settings.training
    if training.model_data and "serving" in target.stacks:
        yield Check(subject=SUBJECT, title="the artifact", needs=PERMISSIONS, find=model_data)
    if training.weights_uri and target.trains:
        yield Check(subject=SUBJECT, title="the pretrained weights", needs=PERMISSIONS, find=pretrained)


def model_data(target: Target) -> Iterator[Finding]:
    """An artifact that does not exist, or is no archive."""
    yield from _object(
        target,
        "training.model_data",
        target.settings.training.model_data,
        begins=lambda start: start.startswith(GZIP),
        kind="a .tar.gz archive",
    )


def pretrained(target: Target) -> Iterator[Finding]:
    """Weights that do not exist, or are no safetensors file."""
    yield from _object(
        target,
        "training.pretrained_uri",
        target.settings.training.weights_uri,
        begins=lambda start: start[8:9] == b"{",  # 8 bytes with the length of a JSON header, then the header
        kind="a safetensors file",
    )


def in_another_region(target: Target, setting: str, uri: str, region: str) -> Iterator[Finding]:
    """A bucket in a region from which SageMaker does not read."""
    if region != target.region:
        yield error(
            SUBJECT,
            f"{setting} is {uri}, in {region}; SageMaker reads only buckets of its own region, {target.region}.",
            f"Copy it with `aws s3 cp`, or `aws s3 sync`, to a bucket in {target.region}.",
        )


def _object(target: Target, setting: str, uri: str, *, begins: Callable[[bytes], bool], kind: str) -> Iterator[Finding]:
    bucket, key = bucket_and_key(uri)
    s3 = target.client("s3")
    try:
        region = s3.head_bucket(Bucket=bucket)["BucketRegion"]
        start = s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-15")["Body"].read()
    except ClientError as refusal:
        code = refusal.response["Error"]["Code"]
        what = {
            "404": f"The bucket {bucket} does not exist",
            "NoSuchBucket": f"The bucket {bucket} does not exist",
            "NoSuchKey": "There is no such object",
            "InvalidRange": "The object is empty",
            "InvalidObjectState": "The object is archived (S3 Glacier), and cannot be read until it is restored",
        }.get(code)
        if what is None:
            raise
        yield error(SUBJECT, f"{what}: {setting} is {uri}.", f"Correct it: -c {setting}=s3://...")
        return
    yield from in_another_region(target, setting, uri, region)
    if not begins(start):
        yield error(SUBJECT, f"{setting} is {uri}, which is not {kind}.", f"Correct it: -c {setting}=s3://...")
