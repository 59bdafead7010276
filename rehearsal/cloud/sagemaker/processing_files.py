"""The files of a processing job: inputs from S3, outputs to it, as the job's role."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.processing_request import OPT_ML, output_config
from rehearsal.cloud.sagemaker.s3_files import (
    TransferError,
    bucket_and_key,
    download,
    list_keys,
    read,
    upload,
)


def local(path: str, base: Path) -> Path:
    """Where a path of the container, below /opt/ml, is on this machine. base: what stands for /opt/ml."""
    return base / PurePosixPath(path).relative_to(OPT_ML)


def download_inputs(s3: Any, request: Json, base: Path) -> None:
    """Download the inputs. Raises TransferError."""
    for given in request.get("ProcessingInputs", []):
        source = given["S3Input"]
        uri, folder = source["S3Uri"], local(source["LocalPath"], base)
        if source["S3DataType"] == "ManifestFile":
            uri, keys = _listed(s3, uri)
        else:
            keys = [key for key in list_keys(s3, uri) if not key.endswith("/")]
        if not keys:
            raise TransferError(f"No S3 objects found under S3 URL {uri!r} given in input data source.")
        download(s3, uri, folder, keys)


def _listed(s3: Any, uri: str) -> tuple[str, list[str]]:
    """The prefix and the keys of a manifest: `[{"prefix": "s3://bucket/a/"}, "b/1.jsonl", ...]`.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html
    """
    try:
        first, *names = json.loads(read(s3, uri))
        prefix = str(first["prefix"])
        keys = [f"{bucket_and_key(prefix)[1]}{name}" for name in names if isinstance(name, str)]
    except (ValueError, TypeError, KeyError) as error:
        raise TransferError(f"The manifest {uri} does not have the form [{{'prefix': ...}}, ...].") from error
    if not prefix.startswith("s3://") or len(keys) != len(names):
        raise TransferError(f"The manifest {uri} does not have the form [{{'prefix': 's3://...'}}, 'name', ...].")
    return prefix, keys


def make_outputs(request: Json, base: Path) -> None:
    """The folders of the outputs are there when the container starts."""
    for given in output_config(request).get("Outputs", []):
        local(given["S3Output"]["LocalPath"], base).mkdir(parents=True, exist_ok=True)


def upload_outputs(s3: Any, request: Json, base: Path) -> None:
    """Upload what the container left. Raises TransferError."""
    config = output_config(request)
    key = config.get("KmsKeyId")
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    for given in config.get("Outputs", []):
        target = given["S3Output"]
        folder = local(target["LocalPath"], base)
        bucket, prefix = bucket_and_key(target["S3Uri"].rstrip("/"))
        files = {
            f"{prefix}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()
        }
        upload(s3, files, bucket, encryption)
