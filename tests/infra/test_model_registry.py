"""A finished training becomes a version in the Model Registry, and the accuracy gate decides whether it is served."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stacks.training.handler.aws_errors import TrainingError
from stacks.training.handler.emptied_group import config_of, empty, on_event
from stacks.training.handler.events import is_complete
from stacks.training.handler.registry import Registry
from stacks.training.handler.request import JobRequest
from tests.infra.deployment import Deployment
from tests.infra.events import BUCKET, properties
from tests.infra.fake_endpoints import response_url
from tests.registered import REGION, served, trained, use_registry

GROUP, ENDPOINT = "kennel-development", "dogs"
CODE, PHOTOS, OTHER_PHOTOS = "0123456789", "aaaaaaaaaa", "bbbbbbbbbb"
FIRST, SECOND = f"kennel-{CODE}{PHOTOS}", f"kennel-{CODE[::-1]}{PHOTOS}"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client takes seconds to make: SageMaker's API is large."""
    with mock_aws():
        yield boto3.client("sagemaker", region_name=REGION)


@pytest.fixture
def sagemaker(client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client of an account without anything but an empty group."""
    use_registry(monkeypatch)
    client.create_model_package_group(ModelPackageGroupName=GROUP)
    return client


def request(**changes: Any) -> JobRequest:
    return JobRequest.of(properties(ModelGroup=GROUP, EndpointName=ENDPOINT, AccuracyTolerance="0.05", **changes))


def admit(sagemaker: Any, job: str, *, kept: bool = False, **changes: Any) -> str:
    """Register a job that has ended."""
    registry = Registry(sagemaker=sagemaker, sleep=lambda _: None)
    return registry.admit(request(**changes), sagemaker.describe_training_job(TrainingJobName=job), kept=kept)


def versions(sagemaker: Any) -> dict[int, Any]:
    """Each version, by its number."""
    listed = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    arns = {each["ModelPackageVersion"]: each["ModelPackageArn"] for each in listed}
    return {number: sagemaker.describe_model_package(ModelPackageName=arn) for number, arn in arns.items()}


def test_a_version_has_the_artifact_the_figures_and_what_made_them(sagemaker: Any) -> None:
    uri = trained(sagemaker, FIRST, bucket=BUCKET, **{"test:served_accuracy": 0.91234567, "temperature": 1.25})
    assert admit(sagemaker, FIRST, DataVersion=f"{PHOTOS}123456") == "1"

    (version,) = versions(sagemaker).values()
    assert (version["SourceUri"], version["ModelApprovalStatus"]) == (uri, "Approved")
    assert version["ApprovalDescription"].startswith("Accuracy gate: its accuracy on the test photos is 0.9123")
    assert version["CustomerMetadataProperties"] == {
        "training-job": FIRST,
        "training-image": properties()["Image"],
        "instances": "2 x ml.g4dn.xlarge",
        "data-digest": f"{PHOTOS}123456",
        "source-archive": "s3://assets/abc.tar.gz",
        "test:served_accuracy": "0.912346",
        "temperature": "1.25",
    }


def test_without_the_whole_digest_a_version_has_its_start_from_the_jobs_name(sagemaker: Any) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET)
    admit(sagemaker, FIRST, DataVersion="of-spring")

    assert versions(sagemaker)[1]["CustomerMetadataProperties"]["data-digest"] == PHOTOS


def test_a_job_that_a_later_deploy_uses_again_stays_one_version(sagemaker: Any) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET)
    trained(sagemaker, SECOND, bucket=BUCKET)

    assert [admit(sagemaker, job) for job in (FIRST, SECOND, FIRST)] == ["1", "2", "1"]
    assert list(versions(sagemaker)) == [1, 2]


@pytest.mark.parametrize(("metrics", "measured"), [({"test:accuracy": 0.59}, "is 0.5900"), ({}, "was not measured")])
def test_an_accuracy_below_the_least_is_rejected_until_the_setting_is_lowered(
    sagemaker: Any, metrics: dict[str, float], measured: str
) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET, **metrics)

    with pytest.raises(TrainingError, match=f"Version 1 .* rejected.* {measured}, and training.least_accuracy is 0.6"):
        admit(sagemaker, FIRST, LeastAccuracy="0.6")
    rejected = versions(sagemaker)[1]
    assert rejected["ModelApprovalStatus"] == "Rejected"
    assert measured in rejected["ApprovalDescription"]
    with pytest.raises(TrainingError):
        admit(sagemaker, FIRST, LeastAccuracy="0.7")
    assert "training.least_accuracy is 0.7" in versions(sagemaker)[1]["ApprovalDescription"]

    assert admit(sagemaker, FIRST, LeastAccuracy="0") == "1"
    assert versions(sagemaker)[1]["ModelApprovalStatus"] == "Approved"


def test_the_least_accuracy_itself_is_enough(sagemaker: Any) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET, **{"test:served_accuracy": 0.6, "test:accuracy": 0.1})
    assert admit(sagemaker, FIRST, LeastAccuracy="0.6") == "1"


def test_a_least_accuracy_that_is_raised_rejects_a_version_that_was_approved(sagemaker: Any) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET, **{"test:accuracy": 0.59})
    admit(sagemaker, FIRST)

    with pytest.raises(TrainingError):
        admit(sagemaker, FIRST, kept=True, LeastAccuracy="0.6")
    assert versions(sagemaker)[1]["ModelApprovalStatus"] == "Rejected"


def two_trainings(sagemaker: Any, serving: float, new: float, *, second: str = SECOND) -> None:
    """The first one serves."""
    served(sagemaker, trained(sagemaker, FIRST, bucket=BUCKET, **{"test:accuracy": serving}), endpoint=ENDPOINT)
    admit(sagemaker, FIRST)
    trained(sagemaker, second, bucket=BUCKET, **{"test:accuracy": new})


def test_a_model_that_is_worse_than_the_serving_one_is_rejected(sagemaker: Any) -> None:
    two_trainings(sagemaker, 0.9, 0.84)

    with pytest.raises(TrainingError, match=rf"is 0.8400. .* serving model, of the job {FIRST}, is 0.9000, and"):
        admit(sagemaker, SECOND)
    assert {number: each["ModelApprovalStatus"] for number, each in versions(sagemaker).items()} == {
        1: "Approved",
        2: "Rejected",
    }


@pytest.mark.parametrize(("new", "tolerance"), [(0.86, "0.05"), (0.1, "1"), (0.95, "0")])
def test_a_model_within_the_tolerance_is_approved(sagemaker: Any, new: float, tolerance: str) -> None:
    two_trainings(sagemaker, 0.9, new)
    registry = Registry(sagemaker=sagemaker, sleep=lambda _: None)
    asked = JobRequest.of(properties(ModelGroup=GROUP, EndpointName=ENDPOINT, AccuracyTolerance=tolerance))

    job = sagemaker.describe_training_job(TrainingJobName=SECOND)
    assert registry.admit(asked, job, kept=False) == "2"


def test_a_comparison_with_other_photos_says_so(sagemaker: Any) -> None:
    second = f"kennel-{CODE}{OTHER_PHOTOS}"
    two_trainings(sagemaker, 0.9, 0.5, second=second)

    with pytest.raises(TrainingError, match=r"is 0\.9000, which was measured on other photos, and"):
        admit(sagemaker, second)


def test_a_job_that_the_stack_had_before_is_not_compared(sagemaker: Any) -> None:
    two_trainings(sagemaker, 0.9, 0.5)
    assert admit(sagemaker, SECOND, kept=True) == "2"


def test_an_approval_by_a_person_ends_the_comparison(sagemaker: Any) -> None:
    two_trainings(sagemaker, 0.9, 0.5)
    with pytest.raises(TrainingError):
        admit(sagemaker, SECOND)
    arn = versions(sagemaker)[2]["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    assert admit(sagemaker, SECOND) == "2"


def test_a_rejection_by_a_person_stays(sagemaker: Any) -> None:
    trained(sagemaker, FIRST, bucket=BUCKET)
    admit(sagemaker, FIRST)
    arn = versions(sagemaker)[1]["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="it bites")

    with pytest.raises(TrainingError, match=r"A person rejected version 1 .*it bites.*update-model-package"):
        admit(sagemaker, FIRST)
    assert versions(sagemaker)[1]["ModelApprovalStatus"] == "Rejected"


def test_an_artifact_that_no_job_of_this_environment_made_is_not_compared_with(sagemaker: Any) -> None:
    served(sagemaker, "s3://elsewhere/model.tar.gz", endpoint=ENDPOINT)
    trained(sagemaker, SECOND, bucket=BUCKET, **{"test:accuracy": 0.1})

    assert admit(sagemaker, SECOND) == "1"


def test_a_deploy_registers_what_it_trained(sagemaker: Any, deployment: Deployment) -> None:
    event = deployment.create(ModelGroup=GROUP, EndpointName=ENDPOINT)
    deployment.sagemaker.finish(event["PhysicalResourceId"], **{"test:accuracy": 0.9})
    fake = deployment.sagemaker
    for operation in ("list_model_packages", "create_model_package", "update_model_package", "describe_endpoint"):
        setattr(fake, operation, getattr(sagemaker, operation))

    answer = is_complete(event, None, deployment.jobs)

    assert (answer["IsComplete"], answer["Data"]["ModelVersion"]) == (True, "1")
    assert versions(sagemaker)[1]["CustomerMetadataProperties"]["test:accuracy"] == "0.9"


def test_a_deploy_says_whether_the_stack_had_the_job_before(deployment: Deployment) -> None:
    first = deployment.create()
    deployment.sagemaker.finish(first["PhysicalResourceId"])

    assert first["Kept"] is False
    assert deployment.send("Update", ResourceProperties=properties(LeastAccuracy="0.5"))["Kept"] is True
    assert deployment.send("Update", ResourceProperties=properties(InstanceCount="1"))["Kept"] is False


def test_every_version_is_deleted_before_its_group(sagemaker: Any) -> None:
    for number in range(101):
        sagemaker.create_model_package(ModelPackageGroupName=GROUP, SourceUri=f"s3://bucket/{number}")

    assert empty(sagemaker, GROUP) == 101
    sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    assert empty(sagemaker, GROUP) == 0


@pytest.mark.parametrize(("used", "left"), [("", ["of-the-stack"]), ("kennel-development-v1", None)])
def test_what_a_rollback_created_goes_with_its_version_unless_the_endpoint_uses_it(
    sagemaker: Any, used: str, left: list[str] | None
) -> None:
    for name in ("of-the-stack", f"{GROUP}-v1"):
        served(sagemaker, "s3://bucket/model.tar.gz", endpoint=f"at-{name}", name=name)
    sagemaker.create_model_package(ModelPackageGroupName=GROUP, SourceUri="s3://bucket/model.tar.gz")

    assert config_of(sagemaker, f"at-{GROUP}-v1") == f"{GROUP}-v1"
    assert config_of(sagemaker, "gone") == ""
    assert empty(sagemaker, GROUP, used=used) == 1
    found = {each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]}
    assert found == {each["ModelName"] for each in sagemaker.list_models()["Models"]}
    assert found == set(left or ["of-the-stack", f"{GROUP}-v1"])


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_the_function_that_empties_the_group_always_responds(
    sagemaker: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sagemaker.create_model_package(ModelPackageGroupName=GROUP, SourceUri="s3://bucket/model.tar.gz")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: sagemaker)
    with response_url() as url:
        event = {
            "RequestType": kind,
            "ResponseURL": f"{url.url}/response",
            "ResourceProperties": {"ModelGroup": GROUP, "EndpointName": ENDPOINT},
            **{name: name for name in ("StackId", "RequestId", "LogicalResourceId")},
        }
        on_event(event, None)
        body = url.response

    assert (body["Status"], body["PhysicalResourceId"]) == ("SUCCESS", f"versions-of-{GROUP}")
    assert len(versions(sagemaker)) == (0 if kind == "Delete" else 1)


def test_versions_that_cannot_be_deleted_fail_the_stack_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(boto3, "client", refused)
    with response_url() as url:
        event = {
            "RequestType": "Delete",
            "ResponseURL": f"{url.url}/response",
            "ResourceProperties": {"ModelGroup": GROUP, "EndpointName": ENDPOINT},
            **{name: name for name in ("StackId", "RequestId", "LogicalResourceId")},
        }
        on_event(event, None)
        body = url.response

    assert body["Status"] == "FAILED"
    assert f"model package group {GROUP} could not be deleted" in body["Reason"]
    assert "no network" in body["Reason"]
