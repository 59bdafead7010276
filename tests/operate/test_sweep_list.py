"""`kennel sweep` lists what bills, by its tags, with its price, and changes nothing."""

import json
from typing import Any

import pytest
from typer.testing import Result

from environments import Environment
from ops.sweep.kinds import KINDS, named
from tests.operate.deployment import REGION
from tests.operate.moto_account import (
    AUTO_DELETE,
    DEVELOPMENT,
    SMOKE,
    buckets,
    client,
    kennel,
    make_bucket,
    make_endpoint,
    make_volume,
    pairs,
)
from tests.preflight.account import ACCOUNT, Account, denied


def listed(result: Result) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(result.stdout)["found"]}


def test_an_account_without_resources_bills_nothing(account: Account) -> None:
    result = kennel("--env", "smoke")

    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith(f"Nothing bills (smoke, account {ACCOUNT}, {REGION}).")


def test_each_resource_has_its_price_a_day(account: Account) -> None:
    make_endpoint("kennel-smoke-classifier", instances=2)
    volume = make_volume()

    result = kennel("--env", "smoke", "--json")

    found = listed(result)
    assert result.exit_code == 3
    # two instances of 0.115 an hour with 30 GB each at 0.14 a month, and 100 GiB at 0.08 a month of 730 hours
    assert found["kennel-smoke-classifier"]["usd_day"] == pytest.approx(2 * (0.115 * 24 + 30 * 0.14 * 24 / 730))
    assert found[volume]["usd_day"] == pytest.approx(100 * 0.08 * 24 / 730)
    assert found["kennel-smoke-classifier"]["about"] == "2 ml.m5.large"


def test_a_list_deletes_nothing_whatever_is_typed(account: Account) -> None:
    volume = make_volume()

    result = kennel("--env", "smoke", answers="y\n" * 9)

    assert "[y/N]" not in result.stdout
    assert [each["VolumeId"] for each in client("ec2").describe_volumes()["Volumes"]] == [volume]


def test_every_region_that_is_named_is_looked_at(account: Account) -> None:
    here, there = make_volume(), make_volume(region="eu-west-1")

    both = listed(kennel("--env", "smoke", "--json", "--region", REGION, "--region", "eu-west-1"))
    one = listed(kennel("--env", "smoke", "--json", "--region", "eu-west-1"))

    assert {name: each["region"] for name, each in both.items()} == {here: REGION, there: "eu-west-1"}
    assert list(one) == [there]


def test_all_means_the_regions_of_the_account(account: Account) -> None:
    account.answer("ec2.DescribeRegions", {"Regions": [{"RegionName": REGION}, {"RegionName": "eu-west-1"}]})

    assert json.loads(kennel("--json", "--region", "all").stdout)["regions"] == ["eu-west-1", REGION]


def test_a_region_without_a_price_table_has_no_price(account: Account) -> None:
    make_volume(region="ap-south-1")

    result = kennel("--env", "smoke", "--region", "ap-south-1")

    assert result.exit_code == 3
    assert "unknown" in result.stdout
    assert ", and 1 for which there is no price" in result.stdout


def test_what_belongs_to_another_environment_is_not_listed(account: Account) -> None:
    """The tags of the default environment are a part of every other environment's."""
    smoke, development = make_volume(SMOKE), make_volume(DEVELOPMENT)
    make_volume({"project": "other"})

    assert list(listed(kennel("--json"))) == [development]
    assert list(listed(kennel("--json", "--env", "smoke"))) == [smoke]


def test_a_resource_with_a_tag_of_somebody_else_is_listed_and_kept(account: Account) -> None:
    volume = make_volume({"project": "kennel", "stage": "of-another-branch"})

    found = listed(kennel("--json"))[volume]

    assert found["kept"].startswith("It has the tag stage=of-another-branch, which ")
    assert "may belong to another environment" in found["kept"]


def test_tags_of_aws_and_of_cdk_are_nobody_elses(account: Account) -> None:
    volume = make_volume({"project": "kennel", "Name": "Workbench/Host", "aws-cdk:subnet-name": "Public"})

    assert listed(kennel("--json"))[volume]["kept"] == ""


def test_what_is_gone_free_or_stopped_is_not_listed(account: Account) -> None:
    """The tags of a resource are listed for some time after its deletion."""
    client("logs").create_log_group(logGroupName="/empty", tags=SMOKE)
    key = client("kms").create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in SMOKE.items()])
    client("kms").schedule_key_deletion(KeyId=key["KeyMetadata"]["KeyId"])
    client("ecr").create_repository(repositoryName="empty", tags=pairs(SMOKE))
    gone = {"ResourceARN": f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/vol-00000000000000000", "Tags": pairs(SMOKE)}
    nowhere = {"ResourceARN": "arn:aws:s3:::kennel-gone", "Tags": pairs(SMOKE)}
    account.answer("resourcegroupstaggingapi.GetResources", {"ResourceTagMappingList": [gone, nowhere]})

    result = kennel("--env", "smoke")

    assert (result.exit_code, "Nothing bills" in result.stdout) == (0, True)


def test_a_training_job_that_runs_is_found_by_its_tags(account: Account) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/kennel-smoke-1"
    summary = {
        "TrainingJobName": "kennel-smoke-1",
        "TrainingJobArn": arn,
        "CreationTime": 1,
        "TrainingJobStatus": "InProgress",
    }
    account.answer("sagemaker.ListTrainingJobs", {"TrainingJobSummaries": [summary]})
    account.answer("sagemaker.ListTags", {"Tags": pairs(SMOKE)})
    account.answer(
        "sagemaker.DescribeTrainingJob",
        {
            "TrainingJobName": "kennel-smoke-1",
            "TrainingJobStatus": "InProgress",
            "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 50},
        },
    )

    found = listed(kennel("--json", "--env", "smoke"))

    # the instances have a disk of their own, so SageMaker bills no volume
    assert found["kennel-smoke-1"]["usd_day"] == pytest.approx(2 * 0.736 * 24)
    assert listed(kennel("--json")) == {}


def test_a_drift_check_that_runs_is_found_by_its_tags(account: Account) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/kennel-smoke-drift-2026-11-27"
    summary = {
        "ProcessingJobName": "kennel-smoke-drift-2026-11-27",
        "ProcessingJobArn": arn,
        "CreationTime": 1,
        "ProcessingJobStatus": "InProgress",
    }
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
    account.answer("sagemaker.ListProcessingJobs", {"ProcessingJobSummaries": [summary]})
    account.answer("sagemaker.ListTags", {"Tags": pairs(SMOKE)})
    account.answer(
        "sagemaker.DescribeProcessingJob",
        {
            "ProcessingJobName": "kennel-smoke-drift-2026-11-27",
            "ProcessingJobStatus": "InProgress",
            "ProcessingResources": {"ClusterConfig": cluster},
        },
    )
    account.answer("sagemaker.StopProcessingJob", {})

    found = listed(kennel("--json", "--env", "smoke"))

    assert found["kennel-smoke-drift-2026-11-27"]["usd_day"] == pytest.approx(0.115 * 24 + 10 * 0.14 * 24 / 730)
    assert listed(kennel("--json")) == {}
    known = named(arn)
    assert known is not None
    known[0].delete(client, known[1])
    assert account.calls["sagemaker.StopProcessingJob"] == 1


@pytest.mark.parametrize("tags", [SMOKE, {**SMOKE, "aws-cdk:auto-delete-objects": "false"}])
def test_a_bucket_that_was_deployed_to_be_kept_is_kept(account: Account, tags: dict[str, str]) -> None:
    make_bucket("kept", tags)

    result = kennel("--env", "smoke", "--yes", answers="y\n" * 9)

    assert result.exit_code == 3
    assert "It was deployed to be kept" in result.stdout
    assert buckets() == ["kept"]


def test_a_bucket_that_the_environment_keeps_now_is_kept(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was deployed before keep_bucket was set."""
    make_bucket("kept", {"project": "kennel", "environment": "production", **AUTO_DELETE})

    found = listed(kennel("--json", "--env", "production"))["kept"]

    assert found["kept"].endswith("keeps the bucket (protection.keep_bucket).")


def stack(name: str, tags: dict[str, str]) -> str:
    """A stack with a volume, which it returns."""
    volume = {"AvailabilityZone": f"{REGION}a", "Size": 8, "VolumeType": "gp3", "Tags": pairs(tags)}
    body = json.dumps({"Resources": {"Disk": {"Type": "AWS::EC2::Volume", "Properties": volume}}})
    client("cloudformation").create_stack(StackName=name, TemplateBody=body, Tags=pairs(tags))
    (resource,) = client("cloudformation").list_stack_resources(StackName=name)["StackResourceSummaries"]
    found: str = resource["PhysicalResourceId"]
    return found


def test_what_a_stack_owns_is_left_to_its_destroy(account: Account) -> None:
    volume = stack("kennel-smoke-workbench", SMOKE)

    found = listed(kennel("--json", "--env", "smoke"))[volume]

    assert found["kept"] == (
        "The stack kennel-smoke-workbench owns it (CREATE_COMPLETE): `make destroy ENV=smoke` deletes it."
    )


def test_what_a_stack_owns_that_cannot_be_deleted_may_be_deleted(account: Account) -> None:
    volume = stack("kennel-smoke-workbench", SMOKE)
    described = client("cloudformation").describe_stacks(StackName="kennel-smoke-workbench")["Stacks"]
    failed = [{**described[0], "StackStatus": "DELETE_FAILED"}]
    account.answer("cloudformation.DescribeStacks", {"Stacks": failed})

    assert listed(kennel("--json", "--env", "smoke"))[volume]["kept"] == ""


def test_the_tag_of_cloudformation_names_the_stack_of_a_resource(account: Account) -> None:
    """The physical id of an address is its IP, not its allocation; and a stack can lack the environment's tags."""
    stack("any-other", {"owner": "any"})
    address = client("ec2").allocate_address(Domain="vpc")["AllocationId"]
    tags = pairs({**SMOKE, "aws:cloudformation:stack-name": "any-other"})
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:elastic-ip/{address}"
    account.answer(
        "resourcegroupstaggingapi.GetResources", {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags}]}
    )

    kept = listed(kennel("--json", "--env", "smoke"))[address]["kept"]
    client("cloudformation").delete_stack(StackName="any-other")
    left = listed(kennel("--json", "--env", "smoke"))[address]["kept"]

    assert kept.startswith("The stack any-other owns it (CREATE_COMPLETE)")
    assert left == ""


def with_files(monkeypatch: pytest.MonkeyPatch, *files: Environment) -> None:
    """As if environments/ had these files."""
    read = {each.name: each for each in files}
    monkeypatch.setattr("environments.names", lambda: sorted(read))
    monkeypatch.setattr("environments.load", lambda name: read[name])


def test_nothing_is_deleted_if_another_environment_has_the_same_tags(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a copy of development.toml with another name."""
    volume = make_volume(DEVELOPMENT)
    with_files(monkeypatch, Environment(name="development"), Environment(name="staging"))

    found = listed(kennel("--json", "--yes", answers="y\n" * 9))[volume]

    assert found["deleted"] is False
    assert found["kept"].startswith("environments/staging.toml has the same tags")


def test_an_environment_of_another_account_with_the_same_tags_does_not_matter(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = make_volume(DEVELOPMENT)
    with_files(
        monkeypatch,
        Environment(name="development", account=ACCOUNT),
        Environment(name="staging", account="999999999999"),
    )

    assert listed(kennel("--json"))[volume]["kept"] == ""


def test_the_key_of_a_bucket_is_kept(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that outlives its stack could never be read again."""
    tags = [{"TagKey": key, "TagValue": value} for key, value in DEVELOPMENT.items()]
    key = client("kms").create_key(Tags=tags)["KeyMetadata"]
    production = Environment(
        name="production", tags={"environment": "production"}, settings={"storage": {"kms_key_arn": key["Arn"]}}
    )
    with_files(monkeypatch, Environment(name="development"), production)

    found = listed(kennel("--json"))[key["KeyId"]]

    assert found["kept"].startswith("environments/production.toml names it (storage.kms_key_arn)")


def test_a_refused_list_is_unknown_and_exit_status_1(account: Account) -> None:
    volume = make_volume()
    account.refuse("sagemaker.ListTrainingJobs", denied("sagemaker:ListTrainingJobs"))

    result = kennel("--env", "smoke", "--json")

    content = json.loads(result.stdout)
    assert result.exit_code == 1
    assert content["complete"] is False
    assert [each["name"] for each in content["found"]] == [volume]
    assert "is not authorized to perform: sagemaker:ListTrainingJobs" in content["unknown"][0]


def test_nothing_is_deleted_if_the_stacks_cannot_be_listed(account: Account) -> None:
    volume = make_volume()
    account.refuse("cloudformation.DescribeStacks", denied("cloudformation:DescribeStacks"))

    found = listed(kennel("--env", "smoke", "--json", "--yes", answers="y\n" * 9))[volume]

    assert (found["deleted"], found["kept"]) == (False, "AWS did not say whether a stack owns it.")


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:sagemaker:us-east-1:1:endpoint/dogs", ("endpoint", "dogs")),
        ("arn:aws:sagemaker:us-east-1:1:endpoint-config/dogs", None),
        ("arn:aws:ec2:us-east-1:1:natgateway/nat-1", ("NAT gateway", "nat-1")),
        ("arn:aws:lambda:us-east-1:1:function:kennel-api", ("provisioned concurrency", "kennel-api")),
        ("arn:aws:s3:::photos", ("bucket", "photos")),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/a:*", ("log group", "/aws/lambda/a")),
        ("arn:aws:cloudwatch:us-east-1:1:alarm:kennel-a", ("alarm", "kennel-a")),
        ("arn:aws:kms:us-east-1:1:key/1-2", ("KMS key", "1-2")),
        ("arn:aws:sqs:us-east-1:1:queue", None),
    ],
)
def test_an_arn_has_the_kind_and_the_name_of_its_resource(arn: str, expected: tuple[str, str] | None) -> None:
    found = named(arn)

    assert (found and (found[0].name, found[1])) == expected


def test_keys_are_deleted_last_and_volumes_after_their_instances() -> None:
    order = [kind.name for kind in KINDS]

    assert order.index("EC2 instance") < order.index("volume")
    assert order.index("NAT gateway") < order.index("public address")
    assert order[-1] == "KMS key"
