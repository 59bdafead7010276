"""Download the report page that a training job wrote next to its artifact.

`kennel report` runs after a `make deploy`, which installs few packages, so this module imports only boto3 and
`contract`.
"""

import re
import tempfile
from pathlib import Path
from typing import IO

from botocore.exceptions import ClientError

import environments
from contract.archive import ArchiveError, Limits, read_tar_gz
from ops.data.aws_errors import explained
from ops.data.bucket import bucket_and_key, output_of
from ops.session import session

PAGE = "report/index.html"
"""In the job's output.tar.gz. The page contains its pictures and styles, and needs no other file."""

MOST_BYTES = 2**26
"""Limit of the page's size. A page with twenty pictures takes less than a megabyte."""
LIMITS = Limits(unpacked_bytes=2**28, members=1000)
"""Of the whole output, in which a job has the page and its figures."""


_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""


class ReportError(Exception):
    """The report cannot be downloaded. The message says why, and what to do."""


def fetch_report(uri: str, folder: Path, *, environment: str = environments.DEFAULT) -> Path:
    """Write the page into `folder`, named after its job, and return its path.

    uri: an output.tar.gz, or the model.tar.gz next to it. Empty: the output of the deployed training stack. Raises
    ReportError if there is none, and BucketError if AWS returns an error.
    """
    uri = uri or output_of("training", "Report", environment=environment)
    if not uri:
        raise ReportError(
            f"The stack {environments.load(environment).stack('training')} has no output Report. Either it is not "
            f"deployed (make deploy ENV={environment}, or name another environment: kennel --env NAME), or its "
            "artifact was given as training.model_data. Then name that job's output.tar.gz."
        )
    bucket, key = _parted(uri)
    with tempfile.TemporaryFile() as packed:
        with explained(f"the download of s3://{bucket}/{key}", needs=f"s3:GetObject on {bucket}"):
            try:
                session(environment).client("s3").download_fileobj(bucket, key, packed)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    raise ReportError(
                        f"There is no s3://{bucket}/{key}. Copy the URI from the training stack's output Report."
                    ) from error
                raise
        packed.seek(0)
        page = _page(packed, key)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{_job(key)}.html"
    target.write_bytes(page)
    return target


def _parted(uri: str) -> tuple[str, str]:
    bucket, key = bucket_and_key(uri)
    folder, _, name = key.rpartition("/")
    if not bucket or name not in ("output.tar.gz", "model.tar.gz"):
        raise ReportError(
            f"{uri!r} is not a training job's output. Copy the URI (s3://BUCKET/.../output.tar.gz) from the training "
            "stack's output Report."
        )
    return bucket, f"{folder}/output.tar.gz".lstrip("/")


def _job(key: str) -> str:
    """SageMaker writes <prefix>/<job>/output/output.tar.gz. A folder whose name no job can have names no file."""
    folders = [name for name in key.split("/")[:-1] if name != "output"]
    return folders[-1] if folders and _JOB_NAME.fullmatch(folders[-1]) else "report"


def _page(packed: IO[bytes], key: str) -> bytes:
    """The page in the archive. Names in the archive are never used as paths."""
    page = None
    try:
        for member in read_tar_gz(packed, LIMITS):
            # if several hosts wrote output, SageMaker may keep their folders apart
            if page is None and not member.is_folder and f"/{member.name}".endswith(f"/{PAGE}"):
                if member.size > MOST_BYTES:
                    raise ArchiveError(f"its {PAGE} has {member.size} bytes; the limit is {MOST_BYTES}.")
                page = b"".join(member.content())
    except ArchiveError as error:
        raise ReportError(f"{key} cannot be used: {error}") from error
    if page is None:
        raise ReportError(f"{key} contains no {PAGE}: the job ended before its report, or an older version trained it.")
    return page
