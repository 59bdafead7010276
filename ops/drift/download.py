"""Download capture records, at most as many as are compared, evenly spread over the time; and the artifact."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from inference.drift.errors import DriftError
from ops.data.bucket import bucket_and_key
from ops.drift.source import Object, Source
from ops.operate.account import Account, asking
from ops.views.steps import Report

MOST_BYTES = 2**31
"""Of capture records in one check, after which no more files are downloaded."""


def download(source: Source, objects: Sequence[Object], folder: Path, *, most: int, report: Report) -> int:
    """Download files until they have `most` records, in an order that is even over the time at each point.

    Returns how many files were downloaded. Raises AccountError.
    """
    records = size = count = 0
    for number in spread(len(objects)):
        if records >= most or size >= MOST_BYTES:
            break
        each = objects[number]
        path = folder / f"{number:08}.jsonl"
        _fetch(source.account, source.bucket, each.key, path)
        with path.open("rb") as file:
            records += sum(1 for line in file if line.strip())
        size, count = size + each.size, count + 1
        report(min(records, most), most, f"{records} records")
    return count


def spread(count: int) -> Iterator[int]:
    """0 to count - 1, each once. Its first ones, however many, are evenly spread (van der Corput's sequence)."""
    bits = max(1, (count - 1).bit_length())
    for number in range(2**bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < count:
            yield place


def artifact(account: Account, uri: str, folder: Path, report: Report) -> Path:
    """Download model.tar.gz. Raises DriftError for a model without one, and AccountError."""
    bucket, key = bucket_and_key(uri)
    if not key.endswith(".tar.gz"):
        raise DriftError(f"The endpoint's model has the artifact {uri!r}, not a model.tar.gz; deploy Kennel's model.")
    with asking("the look at the artifact", needs=f"s3:GetObject on {uri}"):
        size = account.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"]
    path, done = folder / "model.tar.gz", 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        report(done, size, "")

    with asking("the download of the artifact", needs=f"s3:GetObject on {uri}"):
        account.client("s3").download_file(bucket, key, str(path), Callback=moved)
    return path


def _fetch(account: Account, bucket: str, key: str, path: Path) -> None:
    with asking("the download of captured requests", needs=f"s3:GetObject on s3://{bucket}/{key}"):
        account.client("s3").download_file(bucket, key, str(path))
