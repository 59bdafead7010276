"""What is left of a smoke run is found, and what belongs to another environment is not."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import environments
from ops.smoke.leftovers import KINDS, look
from tests.account.account import Account

SMOKE = environments.load("smoke")
TAGS = [{"Key": "project", "Value": "kennel"}, {"Key": "environment", "Value": "smoke"}]


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as account:
        yield account


def names(account: Account) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in look(account.client, SMOKE).left:
        found.setdefault(each.kind, []).append(each.name)
    return found


def test_nothing_is_found_in_an_empty_account(account: Account) -> None:
    found = look(account.client, SMOKE)
    assert (found.left, found.unknown) == ((), ())


def make_endpoint(account: Account, name: str) -> None:
    sagemaker = account.client("sagemaker")
    sagemaker.create_model(ModelName=name, ExecutionRoleArn="arn:aws:iam::123456789012:role/any")
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
            }
        ],
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def make_notebook(account: Account, name: str, tags: list[dict[str, str]]) -> None:
    account.client("sagemaker").create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn="arn:aws:iam::123456789012:role/any",
        Tags=tags,
    )


def make_instance(account: Account, tags: list[dict[str, str]]) -> str:
    image = account.client("ec2").describe_images()["Images"][0]["ImageId"]
    made = account.client("ec2").run_instances(
        ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}]
    )
    identity: str = made["Instances"][0]["InstanceId"]
    return identity


def make_alarm(account: Account, name: str) -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="x",
        MetricName="y",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )


def test_an_endpoint_of_the_environment_is_found_and_bills(account: Account) -> None:
    make_endpoint(account, "kennel-smoke-classifier")
    make_endpoint(account, "kennel-production-classifier")
    make_endpoint(account, "pytorch-dog-classifier-multi-instance")

    found = look(account.client, SMOKE)

    assert [each.name for each in found.billing] == ["kennel-smoke-classifier"]
    assert found.billing[0].remedy == "aws sagemaker delete-endpoint --endpoint-name kennel-smoke-classifier"


def test_a_notebook_and_an_instance_are_found_by_their_tags(account: Account) -> None:
    make_notebook(account, "Notebook-abc", TAGS)
    make_notebook(account, "Notebook-def", [{"Key": "project", "Value": "kennel"}])
    own = make_instance(account, TAGS)
    make_instance(account, [{"Key": "environment", "Value": "production"}])

    found = names(account)

    assert found["notebook instance"] == ["Notebook-abc"]
    assert found["EC2 instance"] == [own]


def test_buckets_repositories_log_groups_and_alarms_are_found_by_their_prefix(account: Account) -> None:
    for prefix in ("kennel-smoke-", "kennel-production-", "kennel-smokehouse"):
        account.client("s3").create_bucket(Bucket=f"{prefix}bucket")
        account.client("ecr").create_repository(repositoryName=f"{prefix}serving")
        account.client("logs").create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{prefix}classifier")
        make_alarm(account, f"{prefix}slow")

    found = names(account)

    assert found["bucket"] == ["kennel-smoke-bucket"]
    assert found["image repository"] == ["kennel-smoke-serving"]
    assert found["log group"] == ["/aws/sagemaker/Endpoints/kennel-smoke-classifier"]
    assert found["alarm"] == ["kennel-smoke-slow"]


def test_the_alarms_that_scaling_makes_for_the_endpoint_are_found(account: Account) -> None:
    own = "TargetTracking-endpoint/kennel-smoke-classifier/variant/AllTraffic-AlarmHigh-1"
    for name in (own, "TargetTracking-endpoint/kennel-production-classifier/variant/AllTraffic-AlarmHigh-2"):
        make_alarm(account, name)

    assert names(account)["alarm"] == [own]


def test_the_command_of_a_bucket_deletes_it_with_its_versions(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="kennel-smoke-bucket")
    s3.put_bucket_versioning(Bucket="kennel-smoke-bucket", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket="kennel-smoke-bucket", Key="photo", Body=b"x")
    s3.delete_object(Bucket="kennel-smoke-bucket", Key="photo")
    (left,) = look(account.client, SMOKE).left

    program, *arguments = shlex.split(left.remedy)
    assert program == ".venv/bin/python"
    subprocess.run([sys.executable, *arguments], check=True, env={"PATH": os.environ["PATH"], **account.variables})

    assert look(account.client, SMOKE).left == ()


def test_a_key_is_found_until_its_deletion_is_scheduled(account: Account) -> None:
    keys = account.client("kms")
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in TAGS]
    made = [keys.create_key(Tags=tags)["KeyMetadata"]["KeyId"] for _ in range(2)]
    keys.schedule_key_deletion(KeyId=made[0], PendingWindowInDays=7)

    assert names(account)["KMS key"] == [made[1]]


def test_what_aws_does_not_list_is_unknown_and_not_absent(account: Account) -> None:
    def client(service: str) -> Any:
        if service == "ecr":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeRepositories")
        return account.client(service)

    found = look(client, SMOKE)

    assert found.unknown == ("image repository: AWS did not list them (AccessDeniedException: no).",)


def test_every_kind_has_a_command_that_names_what_it_deletes() -> None:
    assert all("{}" in kind.remedy for kind in KINDS)
