"""What the settings name in the account: subnets, security groups, a VPC, a key."""

import json
from typing import Any

import pytest

from tests.preflight.account import ACCOUNT, Account, RefusedCallError
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


IAM = f"arn:aws:iam::{ACCOUNT}"


@pytest.mark.parametrize(
    ("principal", "action", "severities"),
    [
        (f"{IAM}:root", "kms:*", []),
        (ACCOUNT, ["kms:Encrypt", "kms:Decrypt"], []),
        ("*", "kms:D*", []),
        ([f"{IAM}:role/admin", f"{IAM}:role/kennel-training-JobRole0-1"], "kms:Decrypt", []),
        (f"{IAM}:role/admin", "kms:*", ["error"]),
        (f"{IAM}:root", ["kms:Describe*", "kms:Put*"], ["error"]),
    ],
)
def test_a_key_whose_policy_keeps_the_roles_out(
    account: Account, principal: str | list[str], action: str | list[str], severities: list[str]
) -> None:
    """KMS asks the key's policy first: rights in the roles' own policies count only if it lets IAM decide."""
    admin = {"Effect": "Allow", "Principal": {"AWS": f"{IAM}:user/admin"}, "Action": "kms:*", "Resource": "*"}
    roles = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [admin, roles]})
    key = str(client(account, "kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])

    found = findings(SUBJECT, {"storage.kms_key_arn": key})

    assert [finding.severity for finding in found] == severities
    assert all("neither lets IAM decide nor names roles of kennel" in finding.summary for finding in found)


def test_the_policy_of_another_accounts_key_is_not_read(account: Account) -> None:
    """KMS shows a policy only to the account of the key."""
    key = a_key(account)
    account.answer("kms.DescribeKey", {"KeyMetadata": {"KeyId": "0", "KeyState": "Enabled"}})
    account.refuse("kms.GetKeyPolicy", RefusedCallError("AccessDeniedException", "No."))

    assert findings(SUBJECT, {"storage.kms_key_arn": key.replace(ACCOUNT, "999999999999")}) == []


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
