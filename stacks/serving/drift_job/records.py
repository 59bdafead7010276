"""Which captured records of a day a job compares: all of them, or as many as fit, evenly over the day."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_LISTED = 100_000
"""Objects of a day: SageMaker writes some a minute for each instance."""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with captured calls. name: its key below the day's prefix."""

    name: str
    size: int


def listed(s3: "S3Client", bucket: str, prefix: str) -> list[Record]:
    """The objects below a prefix, in the order of their keys, which begin with the hour."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = (item for page in pages for item in page.get("Contents", []))
    return [
        Record(item["Key"].removeprefix(prefix), item["Size"])
        for item in itertools.islice(objects, MOST_LISTED)
        if item["Size"] and not item["Key"].endswith("/")
    ]


def evenly(records: Sequence[Record], most_bytes: int) -> list[Record]:
    """All records, or so many of them, evenly over the day, that they have at most so many bytes together."""
    return list(_evenly(records, most_bytes))


def _evenly(records: Sequence[Record], most_bytes: int) -> Iterator[Record]:
    share = min(1, most_bytes / max(1, sum(record.size for record in records)))
    seen = kept = 0
    for record in records:
        seen += record.size
        if kept + record.size <= seen * share:
            kept += record.size
            yield record
