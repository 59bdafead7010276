"""SageMaker's Model Registry: its groups, their versions, and CloudFormation's type of a group."""

import json
from typing import Any

import pytest

from rehearsal.cloud.api import AwsError, Credentials, Request
from rehearsal.cloud.sagemaker.model_package_groups import ModelPackageGroups
from rehearsal.cloud.sagemaker.model_packages import ModelPackages
from rehearsal.cloud.sagemaker.service import SageMaker
from rehearsal.cloud.sagemaker.tags import Tags
from tests.cloud.fake_engine import FakeEngine

AT = "arn:aws:sagemaker:us-east-1:111122223333:"
URI = "s3://bucket/model.tar.gz"


class Permitting(FakeEngine):
    """An account whose callers may do everything."""

    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None:
        pass


class Registry:
    """The operations on a fresh account with one group, `dogs`."""

    def __init__(self) -> None:
        self.engine, tags = Permitting(), Tags()
        self.groups = ModelPackageGroups(self.engine, tags)
        self.service = SageMaker(self.engine, [self.groups, ModelPackages(self.engine, self.groups)], tags)
        self.call("CreateModelPackageGroup", ModelPackageGroupName="dogs")

    def call(self, operation: str, **parameters: Any) -> Any:
        return json.loads(self.service.answer(self.request(operation, **parameters)).body)

    def request(self, operation: str, **parameters: Any) -> Request:
        headers = {"x-amz-target": f"SageMaker.{operation}"}
        return Request("POST", "/", headers, json.dumps(parameters).encode())

    def version(self, **parameters: Any) -> str:
        """The ARN of a new version."""
        given = {"ModelPackageGroupName": "dogs", "SourceUri": URI, **parameters}
        return str(self.call("CreateModelPackage", **given)["ModelPackageArn"])

    def listed(self, **parameters: Any) -> list[int]:
        """The numbers of the versions in a list."""
        found = self.call("ListModelPackages", ModelPackageGroupName="dogs", **parameters)
        return [each["ModelPackageVersion"] for each in found["ModelPackageSummaryList"]]


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_versions_are_numbered_and_wait_for_an_approval(registry: Registry) -> None:
    assert [registry.version(), registry.version()] == [f"{AT}model-package/dogs/1", f"{AT}model-package/dogs/2"]

    found = registry.call("DescribeModelPackage", ModelPackageName="dogs/2")
    assert (found["ModelPackageVersion"], found["SourceUri"]) == (2, URI)
    assert (found["ModelApprovalStatus"], found["ModelPackageStatus"]) == ("PendingManualApproval", "Completed")


def test_the_number_of_a_deleted_version_is_not_used_again(registry: Registry) -> None:
    registry.call("DeleteModelPackage", ModelPackageName=registry.version())

    assert registry.version().endswith("/2")


def test_a_repeated_request_with_its_token_makes_one_version(registry: Registry) -> None:
    assert registry.version(ClientToken="once") == registry.version(ClientToken="once")
    assert registry.listed() == [1]


def test_a_list_has_pages_an_order_and_one_approval(registry: Registry) -> None:
    for approval in ("Approved", "Rejected", "Approved"):
        registry.version(ModelApprovalStatus=approval, ModelPackageDescription="of a job")

    page = registry.call(
        "ListModelPackages", ModelPackageGroupName="dogs", MaxResults=2, SortOrder="Descending", SortBy="CreationTime"
    )
    assert [each["ModelPackageVersion"] for each in page["ModelPackageSummaryList"]] == [3, 2]
    assert page["ModelPackageSummaryList"][0]["ModelPackageDescription"] == "of a job"
    assert registry.listed(MaxResults=2, NextToken=page["NextToken"], SortOrder="Descending") == [1]
    assert registry.listed(ModelApprovalStatus="Rejected") == [2]


def test_an_update_changes_the_approval_and_keeps_other_properties(registry: Registry) -> None:
    arn = registry.version(CustomerMetadataProperties={"accuracy": "0.9", "seed": "1"})
    registry.call(
        "UpdateModelPackage",
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="it is good",
        CustomerMetadataProperties={"seed": "2"},
        CustomerMetadataPropertiesToRemove=["accuracy"],
    )

    found = registry.call("DescribeModelPackage", ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "it is good")
    assert found["CustomerMetadataProperties"] == {"seed": "2"}


def test_each_change_of_a_version_is_an_event(registry: Registry) -> None:
    registry.call("UpdateModelPackage", ModelPackageArn=registry.version(), ModelApprovalStatus="Approved")

    kinds = [(kind, detail["ModelApprovalStatus"]) for _, kind, detail, _ in registry.engine.events]
    assert kinds == [
        ("SageMaker Model Package State Change", "PendingManualApproval"),
        ("SageMaker Model Package State Change", "Approved"),
    ]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"ModelPackageName": "other"}, "Both ModelPackageName and ModelPackageGroupName"),
        ({"ModelPackageGroupName": None, "ModelPackageName": "other"}, "outside a group is not rehearsed"),
        ({"ModelPackageGroupName": "cats"}, f"ModelPackageGroup {AT}model-package-group/cats does not exist"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "has the tags of its model package group"),
        ({"InferenceSpecification": {"Containers": [{"Image": "x"}]}}, "either SourceUri or InferenceSpecification"),
        ({"ModelApprovalStatus": "Good"}, "Member must satisfy enum value set"),
    ],
)
def test_what_sagemaker_refuses_is_refused(registry: Registry, parameters: dict[str, Any], sentence: str) -> None:
    given = {"ModelPackageGroupName": "dogs", "SourceUri": URI, **parameters}

    refused = registry.call("CreateModelPackage", **{key: value for key, value in given.items() if value})

    assert refused["__type"] == "ValidationException"
    assert sentence in refused["message"]


def test_a_group_with_versions_cannot_be_deleted(registry: Registry) -> None:
    arn = registry.version()
    assert registry.call("DeleteModelPackageGroup", ModelPackageGroupName="dogs")["__type"] == "ConflictException"

    registry.call("DeleteModelPackage", ModelPackageName=arn)
    registry.call("DeleteModelPackageGroup", ModelPackageGroupName="dogs")
    assert registry.call("ListModelPackageGroups")["ModelPackageGroupSummaryList"] == []
    assert "does not exist" in registry.call("DescribeModelPackage", ModelPackageName=arn)["message"]


@pytest.mark.parametrize(
    ("operation", "parameters", "resource"),
    [
        ("CreateModelPackage", {"ModelPackageGroupName": "dogs"}, "model-package/dogs/*"),
        ("ListModelPackages", {"ModelPackageGroupName": f"{AT}model-package-group/dogs"}, "model-package/dogs/*"),
        ("ListModelPackages", {}, "model-package/*/*"),
        ("DescribeModelPackage", {"ModelPackageName": "dogs/3"}, "model-package/dogs/3"),
        ("UpdateModelPackage", {"ModelPackageArn": f"{AT}model-package/dogs/3"}, "model-package/dogs/3"),
        ("DeleteModelPackage", {"ModelPackageName": f"{AT}model-package/dogs/3"}, "model-package/dogs/3"),
        ("DescribeModelPackageGroup", {"ModelPackageGroupName": "dogs"}, "model-package-group/dogs"),
        (
            "DeleteModelPackageGroup",
            {"ModelPackageGroupName": f"{AT}model-package-group/dogs"},
            "model-package-group/dogs",
        ),
    ],
)
def test_a_request_is_decided_on_the_version_or_the_group(
    registry: Registry, operation: str, parameters: dict[str, str], resource: str
) -> None:
    assert registry.service.resource(registry.request(operation, **parameters)) == f"{AT}{resource}"


def test_cloudformation_creates_changes_and_deletes_a_group(registry: Registry) -> None:
    tags = [{"Key": "project", "Value": "kennel"}]
    made = registry.groups.create("Group", {"ModelPackageGroupName": "cats"}, "stack")
    assert made.physical_id == made.attributes["ModelPackageGroupArn"] == f"{AT}model-package-group/cats"

    same = registry.groups.update(made.physical_id, {}, {"ModelPackageGroupName": "cats", "Tags": tags}, "stack")
    assert same.physical_id == made.physical_id
    assert registry.call("ListTags", ResourceArn=made.physical_id)["Tags"] == tags

    registry.version(ModelPackageGroupName="cats")
    with pytest.raises(AwsError, match="still contains Model Packages"):
        registry.groups.delete(made.physical_id, {})
    registry.call("DeleteModelPackage", ModelPackageName="cats/1")
    registry.groups.delete(made.physical_id, {})
    registry.groups.delete(made.physical_id, {})


def test_a_group_of_another_name_is_another_one(registry: Registry) -> None:
    made = registry.groups.create("Group", {"ModelPackageGroupName": "cats"}, "stack")

    other = registry.groups.update(made.physical_id, {}, {"ModelPackageGroupName": "lions"}, "stack")

    assert other.physical_id == f"{AT}model-package-group/lions"


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"ModelPackageGroupName": "dogs"}, "already exists"),
        ({"ModelPackageGroupName": "dogs_"}, "regular expression"),
        ({"ModelPackageGroupName": "cats", "ModelPackageGroupPolicy": {}, "Tags": []}, ""),
        ({"ModelPackageGroupName": "cats", "ModelPackageGroupPolicy": {"Version": "1"}}, "not rehearsed"),
    ],
)
def test_cloudformation_refuses_a_group_that_sagemaker_refuses(
    registry: Registry, properties: dict[str, Any], sentence: str
) -> None:
    if not sentence:
        assert registry.groups.create("Group", properties, "stack").physical_id.endswith("/cats")
        return
    with pytest.raises(AwsError, match=sentence):
        registry.groups.create("Group", properties, "stack")
