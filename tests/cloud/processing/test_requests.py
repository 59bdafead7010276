"""Requests about processing jobs: what is refused, listed, described and deleted."""

from typing import Any

import pytest

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.sagemaker.processing_request import check_request
from rehearsal.cloud.shapes import check
from tests.cloud.processing.account import IMAGE, Account, given
from tests.cloud.training.test_requests import refused


def any_request(**changes: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": "drift",
        "RoleArn": "arn:aws:iam::000000000000:role/job",
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python"]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
        },
        **changes,
    }


def source(**changes: Any) -> dict[str, Any]:
    (each,) = given("s3://dogs/a/")
    return {"ProcessingInputs": [{**each, "S3Input": {**each["S3Input"], **changes}}]}


def output(*paths: str, mode: str = "EndOfJob") -> dict[str, Any]:
    outputs = [
        {"OutputName": "out", "S3Output": {"S3Uri": "s3://dogs/out", "LocalPath": path, "S3UploadMode": mode}}
        for path in paths
    ]
    return {"ProcessingOutputConfig": {"Outputs": outputs}}


def accept(request: dict[str, Any]) -> str:
    """The job's name, if the request is accepted."""
    check("sagemaker", "CreateProcessingJob", request)
    return check_request(request)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ProcessingJobName": "two words"}, "Value 'two words' at 'processingJobName'"),
        ({"ProcessingJobName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"AppSpecification": None}, "Value null at 'appSpecification'"),
        ({"AppSpecification": {"ImageUri": IMAGE}}, "Missing AppSpecification.ContainerEntrypoint"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "at 'stoppingCondition.maxRuntimeInSeconds'"),
        ({"ProcessingInputs": given("s3://dogs/a/") * 11}, "Member must have length less than or equal to 10"),
        ({"ProcessingInputs": given("s3://dogs/a/") * 2}, "ProcessingInputs: in is there twice"),
        ({"ProcessingInputs": [{"InputName": "in"}]}, "only an S3Input is rehearsed"),
        (source(LocalPath="/opt/ml/input"), "LocalPath is /opt/ml/input; it must be an absolute path below"),
        (source(LocalPath="/opt/ml/processing"), "it must be an absolute path below /opt/ml/processing/"),
        (source(LocalPath="/opt/ml/processing/../x"), "it must be an absolute path below /opt/ml/processing/"),
        (source(LocalPath=None), "LocalPath is None; it must be"),
        (source(S3InputMode="Pipe"), "S3InputMode Pipe is not rehearsed"),
        (source(S3CompressionType="Gzip"), "S3CompressionType Gzip is not rehearsed"),
        (source(S3DataType="Folder"), "at 'processingInputs.1.member.s3Input.s3DataType'"),
        (output("/tmp/out"), "Output out: LocalPath is /tmp/out"),
        (output("/opt/ml/processing/a", "/opt/ml/processing/b"), "Outputs: out is there twice"),
        (output("/opt/ml/processing/out", mode="Continuous"), "S3UploadMode Continuous is not rehearsed"),
        (
            {"ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "VolumeSizeInGB": 1}}},
            "only a job with one instance is rehearsed",
        ),
    ],
)
def test_a_request_that_sagemaker_refuses_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AwsError) as caught:
        accept(any_request(**changes))

    assert sentence in str(caught.value)
    assert caught.value.code == "ValidationException"


def test_a_request_with_its_longest_name_is_accepted() -> None:
    assert accept(any_request(ProcessingJobName="a" * 63, **source(), **output("/opt/ml/processing/out"))) == "a" * 63


def test_a_name_is_used_once_until_the_job_is_deleted(account: Account) -> None:
    sagemaker, request = account.client("sagemaker"), account.request("")
    name = request["ProcessingJobName"]
    sagemaker.create_processing_job(**request)
    account.ended(name)

    assert refused(lambda: sagemaker.create_processing_job(**request))[0] == "ResourceInUse"
    sagemaker.delete_processing_job(ProcessingJobName=name)
    assert refused(lambda: account.describe(name))[0] == "ResourceNotFound"


def test_a_running_job_is_not_deleted(account: Account) -> None:
    name, sagemaker = account.create("signal.pause()"), account.client("sagemaker")

    assert refused(lambda: sagemaker.delete_processing_job(ProcessingJobName=name))[0] == "ResourceInUse"
    sagemaker.stop_processing_job(ProcessingJobName=name)
    account.ended(name)


def test_the_caller_needs_the_right_to_pass_the_role_and_to_tag(account: Account) -> None:
    create = {"Action": "sagemaker:CreateProcessingJob", "Resource": "arn:aws:sagemaker:*:*:processing-job/own-*"}
    pass_role = {"Action": "iam:PassRole", "Resource": account.role()}
    no_pass, no_tags = account.caller("p-no-pass", create), account.caller("p-no-tags", create, pass_role)
    tagged = account.request("", ProcessingJobName="own-1", Tags=[{"Key": "project", "Value": "dogs"}])
    plain = {key: value for key, value in tagged.items() if key != "Tags"}

    assert "iam:PassRole" in refused(lambda: no_pass.create_processing_job(**plain))[1]
    assert "sagemaker:AddTags" in refused(lambda: no_tags.create_processing_job(**tagged))[1]
    other = {**plain, "ProcessingJobName": "other-1"}
    assert "processing-job/other-1" in refused(lambda: no_tags.create_processing_job(**other))[1]
    no_tags.create_processing_job(**plain)
    assert account.ended("own-1")["ProcessingJobStatus"] == "Completed"


def test_a_role_that_sagemaker_may_not_assume_is_refused(account: Account) -> None:
    role = account.role(trusted="lambda.amazonaws.com")
    code, message = refused(lambda: account.create("", role=role))

    assert (code, message[:21]) == ("ValidationException", "Could not assume role")


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("docker.io/any/unknown:1", "No command is known for the image"),
        ("docker.io/any/echo:1", "has no command `process`"),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/program:1", "Access denied for repository: program"),
    ],
)
def test_an_image_that_cannot_be_pulled_or_run_is_refused(account: Account, image: str, sentence: str) -> None:
    application = {"ImageUri": image, "ContainerEntrypoint": ["python"]}

    assert sentence in refused(lambda: account.create("", AppSpecification=application))[1]


def test_jobs_are_listed_oldest_first_and_by_filters(account: Account) -> None:
    for program, name in (("", "listed-b"), ("sys.exit(1)", "listed-a")):
        account.run(program, ProcessingJobName=name)

    def listed(**filters: Any) -> list[str]:
        found = account.client("sagemaker").list_processing_jobs(NameContains="listed", **filters)
        return [job["ProcessingJobName"] for job in found["ProcessingJobSummaries"]]

    assert listed() == ["listed-b", "listed-a"]
    assert listed(SortBy="Name") == ["listed-a", "listed-b"]
    assert listed(StatusEquals="Failed") == ["listed-a"]
