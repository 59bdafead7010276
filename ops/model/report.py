"""The page that a training job left beside its artifact, fetched to where a browser can open it.

It is asked for after a `make deploy`, which installs nothing of what trains and serves: only boto3 is imported here.
"""

import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

import environments
from ops.data.bucket import explained, output_of
from ops.session import session

PAGE = "report/index.html"
"""In the job's output.tar.gz. It asks for nothing else: pictures and styles are within."""

MOST_BYTES = 2**26
"""Of the page, unpacked; one with twenty pictures has less than a megabyte."""


class ReportError(Exception):
    """A report that cannot be had. The message is one sentence with the remedy."""


def fetch_report(uri: str, folder: Path, *, environment: str = environments.DEFAULT) -> Path:
    """Write the page into `folder`, named after its job, and return its path.

    uri: an output.tar.gz, or the model.tar.gz beside it; empty: that of the deployed training stack. Raises ReportError
    where there is none, and BucketError where AWS refuses.
    """
    uri = uri or output_of("training", "Report", environment=environment)
    if not uri:
        raise ReportError(
            f"The stack {environments.load(environment).stack('training')} has no output Report: it is not deployed "
            f"(make deploy ENV={environment}, or name another one with kennel --env NAME) "
            "or was given its artifact as training.model_data; write the address of that job's output.tar.gz."
        )
    bucket, key = _parted(uri)
    with tempfile.TemporaryFile() as packed:
        with explained(f"the download of s3://{bucket}/{key}", needs=f"s3:GetObject on {bucket}"):
            try:
                session(environment).client("s3").download_fileobj(bucket, key, packed)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    raise ReportError(
                        f"There is no s3://{bucket}/{key}; take the address from the training stack's output Report."
                    ) from error
                raise
        packed.seek(0)
        page = _page(packed, key)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{_job(key)}.html"
    target.write_bytes(page)
    return target


def _parted(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    folder, _, name = parts.path.lstrip("/").rpartition("/")
    if parts.scheme != "s3" or not parts.netloc or name not in ("output.tar.gz", "model.tar.gz"):
        raise ReportError(
            f"{uri!r} is no training job's output; write s3://BUCKET/.../output.tar.gz, as the training stack's output "
            "Report has it."
        )
    return parts.netloc, f"{folder}/output.tar.gz".lstrip("/")


def _job(key: str) -> str:
    """SageMaker writes <prefix>/<job>/output/output.tar.gz."""
    folders = key.split("/")[:-1]
    return next((name for name in reversed(folders) if name != "output"), "report")


def _page(packed: IO[bytes], key: str) -> bytes:
    """Nothing of the archive is written by the name that it has there."""
    try:
        with tarfile.open(fileobj=packed, mode="r|gz") as archive:
            for member in archive:
                # where several hosts have written, SageMaker may keep their folders apart
                if member.isreg() and f"/{member.name}".endswith(f"/{PAGE}") and member.size <= MOST_BYTES:
                    file = archive.extractfile(member)
                    return file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ReportError(f"{key} is no sound archive ({error}); download it again.") from error
    raise ReportError(f"{key} holds no {PAGE}: the job was ended before its report, or is of an older version.")
