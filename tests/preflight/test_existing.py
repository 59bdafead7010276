"""What the settings name in the account: subnets, security groups, a VPC, a key."""

from typing import Any

import pytest

from tests.preflight.account import Account, RefusedCallError
from tests.preflight.ready import REGION, client, findings, only

SUBJECT = "network and key"


def place(account: Account) -> tuple[str, list[str], str]:
    """The default VPC, its subnets by zone, and its security group."""
    ec2 = client(account, "ec2")
    subnets = sorted(ec2.describe_subnets()["Subnets"], key=lambda subnet: str(subnet["AvailabilityZone"]))
    vpc = str(subnets[0]["VpcId"])
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return vpc, [str(subnet["SubnetId"]) for subnet in subnets], str(groups[0]["GroupId"])


def test_settings_without_a_network_look_nothing_up(account: Account) -> None:
    assert findings(SUBJECT) == []


def test_subnets_and_groups_that_exist(account: Account) -> None:
    vpc, subnets, group = place(account)
    context = {
        "training.subnets": subnets[0],
        "training.security_groups": group,
        "serving.subnets": ",".join(subnets[:2]),
        "serving.security_groups": group,
        "workbench.subnet": subnets[0],
        "workbench.vpc": vpc,
    }

    assert findings(SUBJECT, context) == []
    assert findings("zone", context) == []
    assert findings("quotas", context) == []


@pytest.mark.parametrize("section", ["training", "serving"])
def test_a_subnet_and_a_group_that_the_account_does_not_have(account: Account, section: str) -> None:
    _, subnets, _ = place(account)
    context = {f"{section}.subnets": f"{subnets[0]},subnet-00000000", f"{section}.security_groups": "sg-00000000"}

    missing_subnet, missing_group = findings(SUBJECT, context)

    assert f"{section}.subnets has subnet-00000000" in missing_subnet.summary
    assert f"{section}.security_groups has sg-00000000" in missing_group.summary
    assert missing_subnet.severity == missing_group.severity == "error"


def test_a_vpc_that_the_account_does_not_have(account: Account) -> None:
    _, subnets, _ = place(account)

    finding = only(SUBJECT, {"workbench.subnet": subnets[0], "workbench.vpc": "vpc-00000000"})

    assert "workbench.vpc has vpc-00000000" in finding.summary


def test_a_subnet_in_a_zone_without_the_type_of_the_host(account: Account) -> None:
    vpc, subnets, _ = place(account)
    account.answer(
        "ec2.DescribeInstanceTypeOfferings",
        {"InstanceTypeOfferings": [{"InstanceType": "g4dn.xlarge", "Location": f"{REGION}c"}]},
    )

    finding = only("zone", {"workbench.subnet": subnets[0], "workbench.vpc": vpc, "workbench.notebook": "false"})

    assert f"in {REGION}a, the zone of workbench.subnet" in finding.summary
    assert f"Name a subnet in {REGION}c" in finding.remedy


def a_key(account: Account) -> str:
    return str(client(account, "kms").create_key()["KeyMetadata"]["Arn"])


def test_a_key_that_is_enabled(account: Account) -> None:
    assert findings(SUBJECT, {"storage.kms_key_arn": a_key(account)}) == []


def disable(account: Account, key: str) -> None:
    client(account, "kms").disable_key(KeyId=key.rpartition("/")[2])


def schedule_deletion(account: Account, key: str) -> None:
    client(account, "kms").schedule_key_deletion(KeyId=key.rpartition("/")[2])


@pytest.mark.parametrize(("end", "state"), [(disable, "Disabled"), (schedule_deletion, "PendingDeletion")])
def test_a_key_that_cannot_be_used(account: Account, end: Any, state: str) -> None:
    key = a_key(account)
    end(account, key)

    finding = only(SUBJECT, {"storage.kms_key_arn": key})

    assert finding.severity == "error"
    assert f"is in the state {state}" in finding.summary


def test_a_key_of_another_region(account: Account) -> None:
    key = a_key(account).replace(REGION, "us-west-2")

    assert (
        "in us-west-2; S3 uses only keys of the bucket's region" in only(SUBJECT, {"storage.kms_key_arn": key}).summary
    )


def test_a_key_that_does_not_exist(account: Account) -> None:
    key = a_key(account)
    account.refuse("kms.DescribeKey", RefusedCallError("NotFoundException", "Key does not exist."))

    assert "There is no key" in only(SUBJECT, {"storage.kms_key_arn": key}).summary
