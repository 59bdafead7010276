"""The versions in SageMaker's Model Registry: what made a model, its figures, and whether it is approved.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.events import MODEL_PACKAGE_STATE, announce
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.model_package_groups import ModelPackageGroups
from rehearsal.cloud.sagemaker.service import arn

NOT_REHEARSED = ("AdditionalInferenceSpecifications", "SourceAlgorithmSpecification", "ValidationSpecification")
"""Each starts work of SageMaker, or describes what it has made."""
_SUMMARY = (
    "CreationTime",
    "ModelApprovalStatus",
    "ModelPackageArn",
    "ModelPackageDescription",
    "ModelPackageGroupName",
    "ModelPackageStatus",
    "ModelPackageVersion",
)
_NOT_SHOWN = ("ClientToken", "ModelPackageGroupName")
_UPDATED = ("ApprovalDescription", "InferenceSpecification", "ModelApprovalStatus", "ModelLifeCycle", "SourceUri")


class ModelPackages:
    """The versions of every group. A package outside a group is not rehearsed."""

    def __init__(self, engine: Engine, groups: ModelPackageGroups) -> None:
        self._engine, self._groups = engine, groups
        self._packages: dict[str, Json] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.RLock()
        groups.is_empty = lambda name: not self._of(name)

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateModelPackage": self._create,
            "DescribeModelPackage": lambda parameters, _: dict(self._get(parameters["ModelPackageName"])),
            "ListModelPackages": self._list,
            "UpdateModelPackage": self._update,
            "DeleteModelPackage": self._delete,
        }

    def _of(self, group: str) -> list[Json]:
        with self._lock:
            return [each for each in self._packages.values() if each["ModelPackageGroupName"] == group]

    def _get(self, name_or_arn: str) -> Json:
        found = name_or_arn if name_or_arn.startswith("arn:") else arn(self._engine, "model-package", name_or_arn)
        with self._lock:
            if found not in self._packages:
                raise AwsError("ValidationException", f"ModelPackage {found} does not exist.")
            return self._packages[found]

    def _create(self, parameters: Json, _: Request) -> Json:
        if parameters.get("ModelPackageName") and parameters.get("ModelPackageGroupName"):
            raise AwsError(
                "ValidationException",
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which "
                "one to use.",
            )
        if not parameters.get("ModelPackageGroupName"):
            raise AwsError("ValidationException", "A model package outside a group is not rehearsed.")
        for field in NOT_REHEARSED:
            if parameters.get(field):
                raise AwsError("ValidationException", f"{field} of a model package is not rehearsed.")
        if parameters.get("Tags"):
            raise AwsError("ValidationException", "A version has the tags of its model package group, and no others.")
        if parameters.get("SourceUri") and parameters.get("InferenceSpecification"):
            raise AwsError("ValidationException", "Specify either SourceUri or InferenceSpecification.")
        group = self._groups.get(parameters["ModelPackageGroupName"])
        with self._lock:
            token = f"{group['ModelPackageGroupArn']} {parameters.get('ClientToken', '')}"
            if parameters.get("ClientToken") and token in self._tokens:
                return {"ModelPackageArn": self._tokens[token]}
            package = self._new(group["ModelPackageGroupName"], parameters)
            self._tokens[token] = package["ModelPackageArn"]
        self._announce(package)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _new(self, group: str, parameters: Json) -> Json:
        version = self._groups.next_version(group)
        found = arn(self._engine, "model-package", f"{group}/{version}")
        self._packages[found] = {
            "ModelApprovalStatus": "PendingManualApproval",
            **{key: value for key, value in parameters.items() if key not in _NOT_SHOWN},
            "ModelPackageName": group,
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": found,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": datetime.now(UTC),
            "CreatedBy": {},
        }
        return self._packages[found]

    def _update(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            package = self._get(parameters["ModelPackageArn"])
            package |= {key: parameters[key] for key in _UPDATED if key in parameters}
            own = {**package.get("CustomerMetadataProperties", {}), **parameters.get("CustomerMetadataProperties", {})}
            for key in parameters.get("CustomerMetadataPropertiesToRemove", []):
                own.pop(key, None)
            package |= {"LastModifiedTime": datetime.now(UTC), "LastModifiedBy": {}}
            if own or "CustomerMetadataProperties" in package:
                package["CustomerMetadataProperties"] = own
        self._announce(package)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _delete(self, parameters: Json, _: Request) -> Json:
        package = self._get(parameters["ModelPackageName"])
        with self._lock:
            self._packages.pop(package["ModelPackageArn"], None)
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            found = list(self._packages.values())
        if group := parameters.get("ModelPackageGroupName"):
            name = self._groups.get(group)["ModelPackageGroupName"]
            found = [each for each in found if each["ModelPackageGroupName"] == name]
        elif parameters.get("ModelPackageType", "Unversioned") == "Unversioned":
            found = []
        approval = parameters.get("ModelApprovalStatus")
        summaries = [
            {key: each[key] for key in _SUMMARY if key in each}
            for each in found
            if approval in (None, each["ModelApprovalStatus"])
        ]
        # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModelPackages.html
        return page(
            summaries, parameters, member="ModelPackageSummaryList", name="ModelPackageGroupName", order="Ascending"
        )

    def _announce(self, package: Json) -> None:
        announce(self._engine, MODEL_PACKAGE_STATE, package["ModelPackageArn"], package)
