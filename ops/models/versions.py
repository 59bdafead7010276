"""The versions of a model package group, as `kennel models` lists them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from contract.training_metrics import METRIC_NAMES
from ops.data.aws_errors import explained
from ops.models.errors import ModelsError
from stacks.training.handler.model_version import DATA_DIGEST, TRAINING_IMAGE, TRAINING_JOB

NEEDS = "sagemaker:ListModelPackages and sagemaker:DescribeModelPackage"


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One finished training."""

    arn: str
    number: int
    created: datetime
    approval: str
    """Approved, Rejected or PendingManualApproval."""
    reason: str
    """Of the approval."""
    artifact: str
    """The S3 URI of the model.tar.gz."""
    properties: dict[str, str]
    """What made it, and its metrics by their names."""

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Version":
        """From DescribeModelPackage's response."""
        return cls(
            arn=str(found["ModelPackageArn"]),
            number=int(found["ModelPackageVersion"]),
            created=found["CreationTime"],
            approval=found.get("ModelApprovalStatus", "PendingManualApproval"),
            reason=found.get("ApprovalDescription", ""),
            artifact=found.get("SourceUri", ""),
            properties=dict(found.get("CustomerMetadataProperties", {})),
        )

    @property
    def job(self) -> str:
        return self.properties.get(TRAINING_JOB, "")

    @property
    def image(self) -> str:
        return self.properties.get(TRAINING_IMAGE, "")

    @property
    def data_digest(self) -> str:
        return self.properties.get(DATA_DIGEST, "")

    @property
    def accuracy(self) -> float | None:
        """On the test photos, of the served model."""
        served = self._metric("served_test_accuracy")
        return self._metric("test_accuracy") if served is None else served

    @property
    def calibration_error(self) -> float | None:
        """The expected calibration error on the test photos."""
        return self._metric("test_ece")

    @property
    def temperature(self) -> float | None:
        return self._metric("temperature")

    def _metric(self, key: str) -> float | None:
        value = self.properties.get(METRIC_NAMES[key])
        return None if value is None else float(value)


def versions(sagemaker: Any, group: str, *, most: int) -> list[Version]:
    """The newest versions of a group, the newest first. most: how many.

    Raises ModelsError if there is no such group, and BucketError if AWS refuses a call.
    """
    with explained(f"the calls that list the versions of the model package group {group}", needs=NEEDS):
        try:
            arns = list(islice(_arns(sagemaker, group), most))
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                raise ModelsError(
                    f"There is no model package group {group} in {sagemaker.meta.region_name}: the Training stack, "
                    "which creates it, is not deployed, or by an earlier version of Kennel. Deploy it, or name another "
                    "environment (kennel --env NAME)."
                ) from error
            raise
        return [Version.of(sagemaker.describe_model_package(ModelPackageName=arn)) for arn in arns]


def version(sagemaker: Any, group: str, number: int) -> Version:
    """One version. Raises ModelsError if there is none, and BucketError if AWS refuses the call."""
    summaries = versions(sagemaker, group, most=1)
    with explained(f"the call that describes version {number} of {group}", needs=NEEDS):
        for arn in _arns(sagemaker, group):
            if arn.endswith(f"/{number}"):
                return Version.of(sagemaker.describe_model_package(ModelPackageName=arn))
    newest = f"The newest is {summaries[0].number}" if summaries else "It has none yet"
    raise ModelsError(f"The model package group {group} has no version {number}. {newest}; see them all: kennel models")


def _arns(sagemaker: Any, group: str) -> Iterator[str]:
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        yield from (each["ModelPackageArn"] for each in page["ModelPackageSummaryList"])
