"""`kennel sweep` on the local AWS: what it finds and deletes, with the rights that its document lists and no others."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from rehearsal.cloud.calls import read_calls
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client, make_alarm

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sweep.md"
TAGS = {"project": "kennel", "environment": "smoke"}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]
DELETES = ["ec2:DeleteVolume", "ec2:ReleaseAddress", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket"]
UNUSED_HERE = {
    "cloudformation:ListStackResources",
    "ec2:DescribeInstances",
    "ec2:DescribeNatGateways",
    "ec2:DescribeRegions",
    "ec2:DescribeVpcEndpoints",
    "ecr:DescribeImages",
    "lambda:GetFunctionConfiguration",
    "lambda:ListProvisionedConcurrencyConfigs",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:DescribeNotebookInstance",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:ListTags",
}
"""Rights for kinds that are not left in this test."""


def listing() -> list[str]:
    """The actions in the document."""
    (text,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found: list[str] = json.loads(text)["Statement"][0]["Action"]
    return found


def allow(client: Client, actions: list[str]) -> None:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_user_policy(UserName="sweeper", PolicyName="Sweep", PolicyDocument=document)


@pytest.fixture(scope="module")
def sweeper(local_aws: LocalAws, client: Client) -> dict[str, str]:
    """The variables of a user who has the documented rights."""
    client("iam").create_user(UserName="sweeper")
    key = client("iam").create_access_key(UserName="sweeper")["AccessKey"]
    return {
        **local_aws.variables,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


@pytest.fixture
def left(client: Client) -> dict[str, str]:
    """What an interrupted destroy has left: the kind by the name."""
    volume = client("ec2").create_volume(
        AvailabilityZone="us-east-1a",
        Size=100,
        VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": PAIRS}],
    )["VolumeId"]
    address = client("ec2").allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": PAIRS}]
    )["AllocationId"]
    for name, more in (("gone", {"aws-cdk:auto-delete-objects": "true"}), ("kept", {})):
        tags = [{"Key": key, "Value": value} for key, value in {**TAGS, **more}.items()]
        if name in [each["Name"] for each in client("s3").list_buckets()["Buckets"]]:
            continue
        client("s3").create_bucket(Bucket=name)
        client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    for name in ("gone", "kept"):
        client("s3").put_object(Bucket=name, Key="photo.jpg", Body=b"a photo")
        client("s3").delete_object(Bucket=name, Key="photo.jpg")
    return {volume: "volume", address: "public address", "gone": "bucket", "kept": "bucket"}


def kennel(variables: dict[str, str], *arguments: str, answers: str = "") -> Result:
    words = ["--env", "smoke", "sweep", "--json", *arguments]
    return CliRunner(env=variables).invoke(app, words, input=answers, catch_exceptions=False)


def test_it_lists_with_the_documented_rights(
    local_aws: LocalAws, client: Client, sweeper: dict[str, str], left: dict[str, str]
) -> None:
    client("logs").create_log_group(logGroupName="/swept", tags=TAGS)
    client("kms").create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in TAGS.items()])
    make_alarm(client, "swept", PAIRS)
    allow(client, listing())

    result = kennel(sweeper)

    content = json.loads(result.stdout)
    assert (result.exit_code, content["unknown"]) == (3, [])
    assert left.items() <= {each["name"]: each["kind"] for each in content["found"]}.items()
    calls = read_calls(local_aws.folder, "user/sweeper")
    used = {call.action for call in calls if call.principal.endswith("user/sweeper")} - {"sts:GetCallerIdentity"}
    assert used - set(listing()) - set(DELETES) == set()
    assert set(listing()) - used <= UNUSED_HERE


def test_it_deletes_what_was_confirmed_and_never_a_kept_bucket(
    client: Client, sweeper: dict[str, str], left: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.question.select.select", lambda files, *_: (files, [], []))
    allow(client, [*listing(), *DELETES])

    result = kennel(sweeper, "--yes", answers="y\n" * 20)

    found = {each["name"]: each for each in json.loads(result.stdout)["found"]}
    assert {name: found[name]["deleted"] for name in left} == {name: name != "kept" for name in left}
    assert found["kept"]["kept"].startswith("It was deployed to be kept")
    assert [each["Name"] for each in client("s3").list_buckets()["Buckets"]].count("kept") == 1
    assert "gone" not in [each["Name"] for each in client("s3").list_buckets()["Buckets"]]


def test_a_missing_right_is_said_and_nothing_is_lost(
    client: Client, sweeper: dict[str, str], left: dict[str, str]
) -> None:
    allow(client, [action for action in listing() if action != "ec2:DescribeVolumes"])

    result = kennel(sweeper)

    content = json.loads(result.stdout)
    assert result.exit_code == 1
    assert any("not authorized to perform: ec2:DescribeVolumes" in each for each in content["unknown"])
    assert "public address" in [each["kind"] for each in content["found"]]
