"""A finished artifact that is deployed instead of a training: in a bucket that no stack owns, as of another team."""

from dataclasses import replace
from typing import Any

from ops.rehearse.plan import Plan
from ops.smoke.artifact import packed

BUCKET = "kennel-rehearsed-models"
KEY = "model.tar.gz"
WITHOUT_CONSTRAINT = "us-east-1"
"""S3 refuses a LocationConstraint there: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html"""


def deploying(plan: Plan, s3: Any) -> Plan:
    """Send the plan's artifact. Returns the plan with the setting that names it.

    Raises ArtifactError if the folder holds no artifact.
    """
    assert plan.model is not None  # noqa: S101 - for mypy: the caller has asked
    region = s3.meta.region_name
    place = {} if region == WITHOUT_CONSTRAINT else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    content = packed(plan.model, level=0)
    s3.create_bucket(Bucket=BUCKET, **place)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    return replace(plan, settings=(*plan.settings, f"training.model_data=s3://{BUCKET}/{KEY}"))
