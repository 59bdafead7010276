"""Where an endpoint's captured calls are, and which model answers them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inference.drift.errors import DriftError
from ops.data.bucket import bucket_and_key
from ops.operate.account import Account, asking
from ops.operate.deployed import Deployed
from ops.operate.endpoint import Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Object:
    """A file of capture records."""

    key: str
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The captured calls of an endpoint in S3."""

    account: Account
    endpoint: str
    variants: tuple[str, ...]
    bucket: str
    prefix: str
    """It ends with a slash, or is empty."""
    percent: int
    """Share of the calls that are captured."""

    def objects(self, since: datetime, until: datetime) -> list[Object]:
        """Those whose hour is in the period, in the order of time. Raises AccountError."""
        needs = f"s3:ListBucket on {self.bucket} for the prefix {self.prefix}"
        found = []
        pages = self.account.client("s3").get_paginator("list_objects_v2")
        for variant in self.variants:
            folder = f"{self.prefix}{self.endpoint}/{variant}/"
            # keys begin with the hour, so their order is that of time, and the listing can begin in the middle
            start, end = f"{folder}{_hour(since)}", f"{folder}{_hour(until)}/~"
            with asking("the call that lists the captured requests", needs=needs):
                for page in pages.paginate(Bucket=self.bucket, Prefix=folder, StartAfter=start):
                    listed = [Object(key=each["Key"], size=each["Size"]) for each in page.get("Contents", [])]
                    found += [each for each in listed if each.key <= end and each.key.endswith(".jsonl")]
                    if listed and listed[-1].key > end:
                        break
        return sorted(found, key=lambda each: each.key.rsplit("/", 5)[1:])


def source(deployed: Deployed, endpoint: Endpoint) -> Source:
    """Raises DriftError if the endpoint captures nothing, and AccountError."""
    account = deployed.account
    with asking(f"the call that describes the endpoint {endpoint.name}", needs="sagemaker:DescribeEndpoint"):
        described: Any = account.client("sagemaker").describe_endpoint(EndpointName=endpoint.name)
        capture = described.get("DataCaptureConfig") or {}
        variants = tuple(each["VariantName"] for each in described.get("ProductionVariants", []))
    if not capture.get("EnableCapture"):
        raise DriftError(
            f"The endpoint {endpoint.name} captures no call, so there are no photos to compare. Turn it on: make "
            "deploy ARGS='-c serving.capture.percent=10' stores every tenth call's photo and answer in the bucket for "
            "serving.capture.keep_days."
        )
    bucket, key = bucket_and_key(capture["DestinationS3Uri"])
    return Source(
        account=account,
        endpoint=endpoint.name,
        variants=variants,
        bucket=bucket,
        prefix=f"{key.strip('/')}/".lstrip("/"),
        percent=int(capture.get("CurrentSamplingPercentage", 0)),
    )


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y/%m/%d/%H")
