"""The model's artifact: fetched from S3 with the rights of the model's role, and unpacked.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contract.archive import ArchiveError, Limits, read_tar_gz, unpack
from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.s3_files import bucket_and_key

LIMITS = Limits(unpacked_bytes=2**34, members=100_000)
"""Of a machine that rehearses. SageMaker's own limit is the volume of the instance."""


def location(container: Json) -> str:
    """The artifact's S3 URI, or "" if the container has none. Raises AwsError for a form that is not rehearsed."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source is None:
        return str(container.get("ModelDataUrl") or "")
    if source.get("CompressionType") != "Gzip" or source.get("S3DataType") != "S3Object":
        raise AwsError(
            "ValidationException", "Only a model.tar.gz is rehearsed: CompressionType Gzip and S3DataType S3Object."
        )
    return str(source["S3Uri"])


def check_readable(s3: Any, uri: str, role_arn: str, region: str) -> None:
    """Raises AwsError, as CreateModel does, if the role may not read the artifact. s3: a client with its rights."""
    bucket, key = bucket_and_key(uri)
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise AwsError(
            "ValidationException",
            f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the object '
            f"is located in {region}.",
        ) from error


def fetch(s3: Any, uri: str, folder: Path) -> None:
    """Unpack the artifact into `folder`. Raises HostingError, in SageMaker's words."""
    folder.mkdir(parents=True)
    if not uri:
        return
    bucket, key = bucket_and_key(uri)
    archive = folder.with_suffix(".tar.gz")
    try:
        with archive.open("wb") as file:
            shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
    except ClientError as error:
        raise HostingError(
            f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure that there is '
            "an object located at the URL and that the role passed to CreateModel has permissions to download the "
            "object."
        ) from error
    try:
        with archive.open("rb") as content:
            unpack(read_tar_gz(content, LIMITS), folder)
    except (ArchiveError, OSError) as error:
        raise HostingError(
            f'Failed to extract model data archive for container "container_1" from URL "{uri}". Please ensure that '
            f"the object located at the URL is a valid tar.gz archive: {error}"
        ) from error
    finally:
        archive.unlink()
