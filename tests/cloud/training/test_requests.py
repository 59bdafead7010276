"""Requests about training jobs: what is refused, listed, described and deleted."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.api import AwsError
from rehearsal.cloud.sagemaker.training_request import check_request
from rehearsal.cloud.shapes import check
from tests.cloud.training.account import ACCOUNT, IMAGE, Account, channel, document


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and message of AWS's refusal."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def any_request(**changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "dogs",
        "RoleArn": "arn:aws:iam::000000000000:role/job",
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://dogs/artifacts"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **changes,
    }


def accept(request: dict[str, Any]) -> str:
    """The job's name, if the request is accepted."""
    check("sagemaker", "CreateTrainingJob", request)
    return check_request(request)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"TrainingJobName": "two words"}, "Value 'two words' at 'trainingJobName'"),
        ({"TrainingJobName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"TrainingJobName": "dogs-"}, "at 'trainingJobName'"),
        ({"RoleArn": ""}, "Value '' at 'roleArn'"),
        ({"OutputDataConfig": None}, "Value null at 'outputDataConfig'"),
        ({"StoppingCondition": None}, "Missing required field: StoppingCondition"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "Missing AlgorithmSpecification.TrainingImage"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large"}}, "InstanceCount must be at least 1"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.small"}}, "Value 'ml.m5.small' at 'resourceConfig.instanceType'"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "Value '0' at 'stoppingCondition.maxRuntimeInSeconds'"),
        ({"EnableManagedSpotTraining": True}, "Missing MaxWaitTimeInSeconds"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 9}}, "only for managed spot"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8},
            },
            "Invalid MaxWaitTimeInSeconds 8",
        ),
        ({"HyperParameters": {str(number): "" for number in range(101)}}, "have length less than or equal to 100"),
        ({"HyperParameters": {"long": "x" * 2501}}, "at 'hyperParameters.long.member'"),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "MetricDefinitions": [{"Name": str(number), "Regex": "x"} for number in range(41)],
                }
            },
            "at 'algorithmSpecification.metricDefinitions' failed to satisfy constraint",
        ),
        ({"InputDataConfig": [channel("data", "data/", S3DataType="ManifestFile")]}, "ManifestFile is not rehearsed"),
        ({"InputDataConfig": [{**channel("data", "data/"), "InputMode": "Pipe"}]}, "Pipe is not rehearsed"),
        ({"InputDataConfig": [{"ChannelName": "data", "DataSource": {}}]}, "only an S3DataSource is rehearsed"),
        (
            {"CheckpointConfig": {"S3Uri": "s3://dogs/c", "LocalPath": "/tmp/c"}},
            "LocalPath is /tmp/c; only a folder below /opt/ml",
        ),
    ],
)
def test_a_request_that_sagemaker_refuses_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AwsError) as caught:
        accept(any_request(**changes))

    assert sentence in str(caught.value)
    assert caught.value.code == "ValidationException"


def test_a_request_with_every_limit_reached_is_accepted() -> None:
    spot = {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 9}
    request = any_request(TrainingJobName="a" * 63, EnableManagedSpotTraining=True, StoppingCondition=spot)

    assert accept(request) == "a" * 63


def test_a_name_is_used_once_until_the_job_is_deleted(account: Account) -> None:
    request = account.request("")
    account.sagemaker.create_training_job(**request)
    account.ended(request["TrainingJobName"])

    code, message = refused(lambda: account.sagemaker.create_training_job(**request))
    assert code == "ResourceInUse"
    assert "already exists" in message
    account.sagemaker.delete_training_job(TrainingJobName=request["TrainingJobName"])
    assert refused(lambda: account.describe(request["TrainingJobName"]))[1] == "Requested resource not found."
    account.sagemaker.create_training_job(**request)
    assert account.ended(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"


def test_a_running_job_is_not_deleted(account: Account) -> None:
    name = account.create("signal.pause()")

    assert refused(lambda: account.sagemaker.delete_training_job(TrainingJobName=name))[0] == "ResourceInUse"
    account.sagemaker.stop_training_job(TrainingJobName=name)
    account.ended(name)


def test_the_caller_may_not_pass_a_role_without_the_right_to(account: Account) -> None:
    allowed = {"Action": "sagemaker:*", "Resource": "*"}
    caller = account.caller("no-pass-role", allowed)
    code, message = refused(lambda: caller("sagemaker").create_training_job(**account.request("")))

    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message


def test_tags_in_a_request_need_the_right_to_tag(account: Account) -> None:
    role = account.role()
    rights = [
        {"Action": "sagemaker:CreateTrainingJob", "Resource": "*"},
        {"Action": "iam:PassRole", "Resource": role},
    ]
    caller = account.caller("no-tags", *rights)
    request = account.request("", Tags=[{"Key": "project", "Value": "dogs"}])

    assert "sagemaker:AddTags" in refused(lambda: caller("sagemaker").create_training_job(**request))[1]
    account.sagemaker.create_training_job(**request)
    job = account.ended(request["TrainingJobName"])
    tags = account.sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "project", "Value": "dogs"}]


def test_a_role_that_sagemaker_may_not_assume_is_refused(account: Account) -> None:
    trust = json.loads(document({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}))
    iam = account.client("iam")
    role = iam.create_role(RoleName="of-lambda", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    code, message = refused(lambda: account.create("", role=role))
    assert code == "ValidationException"
    assert message.startswith("Could not assume role")


@pytest.mark.parametrize("without", ["pull", "log in"])
def test_a_role_that_may_not_pull_the_image_is_refused(account: Account, without: str) -> None:
    image = {"TrainingImage": IMAGE}
    code, message = refused(lambda: account.create("", role=account.role(without), AlgorithmSpecification=image))

    assert code == "ValidationException"
    assert message.startswith("Access denied for repository: pytorch-training in registry ID: 763104351884")


def test_an_image_of_the_account_has_to_be_in_its_repository(account: Account) -> None:
    ecr = account.client("ecr")
    repository = ecr.create_repository(repositoryName="any/program")["repository"]
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    role = account.role(more={"own-image": {"Action": actions, "Resource": repository["repositoryArn"]}})
    image = {"TrainingImage": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/any/program:1"}

    code, message = refused(lambda: account.create("", role=role, AlgorithmSpecification=image))
    assert (code, message) == ("ValidationException", f"Requested image {image['TrainingImage']} not found.")
    ecr.put_image(repositoryName="any/program", imageTag="1", imageManifest='{"schemaVersion": 2}')
    assert account.run("", role=role, AlgorithmSpecification=image)["TrainingJobStatus"] == "Completed"


def test_an_image_without_a_command_is_refused(account: Account) -> None:
    image = {"TrainingImage": "docker.io/any/unknown:1"}

    assert "No command is known" in refused(lambda: account.create("", AlgorithmSpecification=image))[1]


def test_an_image_that_only_serves_is_refused(account: Account) -> None:
    image = {"TrainingImage": "docker.io/any/server:1"}

    assert "has no command `train`" in refused(lambda: account.create("", AlgorithmSpecification=image))[1]


def test_jobs_are_listed_oldest_first_in_pages_and_by_filters(account: Account) -> None:
    names = [account.run("", TrainingJobName=f"listed-b{number}")["TrainingJobName"] for number in range(3)]
    failed = account.run("sys.exit(1)", TrainingJobName="listed-a")["TrainingJobName"]

    def listed(**filters: Any) -> list[str]:
        found = account.sagemaker.list_training_jobs(NameContains="LISTED", **filters)
        return [job["TrainingJobName"] for job in found["TrainingJobSummaries"]]

    first = account.sagemaker.list_training_jobs(NameContains="listed", MaxResults=3)
    middle = account.describe(names[1])["CreationTime"]
    assert [job["TrainingJobName"] for job in first["TrainingJobSummaries"]] == names
    assert listed(NextToken=first["NextToken"], MaxResults=3) == [failed]
    assert listed(SortOrder="Descending") == [failed, *reversed(names)]
    assert listed(SortBy="Name") == [failed, *names]
    assert listed(StatusEquals="Failed") == [failed]
    assert listed(CreationTimeAfter=middle) == [names[2], failed]
    assert listed(CreationTimeBefore=middle) == [names[0]]
