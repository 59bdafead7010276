"""The groups of SageMaker's Model Registry: each holds the versions of one model.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackageGroup.html
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rehearsal.cloud.api import AwsError, Created, Engine, Json, Request
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.service import arn
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.shapes import check, typed

TYPE = "AWS::SageMaker::ModelPackageGroup"
_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)


class ModelPackageGroups:
    """The groups of the account, and `AWS::SageMaker::ModelPackageGroup`."""

    def __init__(self, engine: Engine, tags: Tags) -> None:
        self._engine, self._tags = engine, tags
        self._groups: dict[str, Json] = {}
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()
        self.is_empty: Callable[[str], bool] = lambda _: True
        """Whether the group of this name has no version. `ModelPackages` sets it."""

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateModelPackageGroup": lambda parameters, _: {"ModelPackageGroupArn": self._create(parameters)},
            "DescribeModelPackageGroup": lambda parameters, _: dict(self.get(parameters["ModelPackageGroupName"])),
            "ListModelPackageGroups": self._list,
            "DeleteModelPackageGroup": self._delete,
        }

    def get(self, name_or_arn: str) -> Json:
        """A group, as DescribeModelPackageGroup returns it. Raises AwsError."""
        name = name_or_arn.rpartition("/")[2]
        with self._lock:
            found = self._groups.get(name)
        if found is None:
            missing = arn(self._engine, "model-package-group", name)
            raise AwsError("ValidationException", f"ModelPackageGroup {missing} does not exist.")
        return found

    def next_version(self, name: str) -> int:
        """The number of a new version: that of a deleted one is not used again."""
        with self._lock:
            self._versions[name] += 1
            return self._versions[name]

    def remove(self, name_or_arn: str) -> None:
        """Delete a group. Raises AwsError if it does not exist, or has versions."""
        group = self.get(name_or_arn)
        name = group["ModelPackageGroupName"]
        if not self.is_empty(name):
            raise AwsError(
                "ConflictException", "Model Package Group cannot be deleted because it still contains Model Packages."
            )
        self._tags.forget(group["ModelPackageGroupArn"])
        with self._lock:
            self._groups.pop(name, None)
            self._versions.pop(name, None)

    def _create(self, parameters: Json) -> str:
        name = str(parameters["ModelPackageGroupName"])
        group = arn(self._engine, "model-package-group", name)
        with self._lock:
            if name in self._groups:
                raise AwsError("ValidationException", f"Model Package Group already exists: {group}")
            self._groups[name] = {
                **{key: value for key, value in parameters.items() if key != "Tags"},
                "ModelPackageGroupArn": group,
                "ModelPackageGroupStatus": "Completed",
                "CreationTime": datetime.now(UTC),
                "CreatedBy": {},
            }
            self._versions[name] = 0
        self._tags.create(group, parameters.get("Tags") or [])
        return group

    def _delete(self, parameters: Json, _: Request) -> Json:
        self.remove(parameters["ModelPackageGroupName"])
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            found = [{key: group[key] for key in _SUMMARY if key in group} for group in self._groups.values()]
        # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModelPackageGroups.html
        return page(
            found, parameters, member="ModelPackageGroupSummaryList", name="ModelPackageGroupName", order="Ascending"
        )

    # -- CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sagemaker-modelpackagegroup.html

    def create(self, _: str, properties: Json, __: str) -> Created:
        """See `ResourceType`."""
        if properties.get("ModelPackageGroupPolicy"):
            raise AwsError("ValidationException", "A policy of a model package group is not rehearsed.")
        parameters = typed("sagemaker", "CreateModelPackageGroup", properties)
        check("sagemaker", "CreateModelPackageGroup", parameters)
        group = self._create(parameters)
        shown = self.get(group)
        attributes = {key: shown[key] for key in ("ModelPackageGroupArn", "ModelPackageGroupStatus")}
        return Created(group, {**attributes, "CreationTime": shown["CreationTime"].isoformat()})

    def update(self, physical_id: str, _: Json, new: Json, stack: str) -> Created:
        """See `ResourceType`. A name that changed makes another group; of the same one the tags alone can change."""
        if not physical_id.endswith(f"/{new['ModelPackageGroupName']}"):
            return self.create("", new, stack)
        self._tags.create(physical_id, new.get("Tags") or [])
        return Created(physical_id, {"ModelPackageGroupArn": physical_id})

    def delete(self, physical_id: str, _: Json) -> None:
        """See `ResourceType`. One that no longer exists is no failure."""
        with self._lock:
            exists = physical_id.rpartition("/")[2] in self._groups
        if exists:
            self.remove(physical_id)
