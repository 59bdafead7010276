"""A job on several hosts in a VPC starts only if its security groups let the hosts reach each other; moto is EC2."""

from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from stacks.training.handler.aws_errors import TrainingError
from tests.infra.deployment import Deployment

SUBNETS = ["subnet-0123456789abcdef0"]
ALL_TCP = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}


@pytest.fixture
def ec2(deployment: Deployment) -> Any:
    return boto3.client("ec2", region_name="eu-west-1")


@pytest.fixture
def group(ec2: Any) -> str:
    """A group as EC2 makes it: nothing may come in, everything may go out."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_security_group(GroupName=f"job-{vpc}", Description="job", VpcId=vpc)
    return str(made["GroupId"])


def create(deployment: Deployment, groups: Sequence[str], hosts: int = 2) -> None:
    deployment.create(Subnets=SUBNETS, SecurityGroups=list(groups), InstanceCount=str(hosts))


def allow(ec2: Any, group: str, rule: dict[str, Any], source: str = "") -> None:
    pairs = [{"GroupId": source}] if source else []
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, "UserIdGroupPairs": pairs}])


def test_without_a_rule_for_its_members_nothing_starts_and_the_error_has_the_command(
    deployment: Deployment, group: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        create(deployment, [group])
    assert "do not allow ingress between its members" in str(caught.value)
    assert f"aws ec2 authorize-security-group-ingress --group-id {group} --ip-permissions" in str(caught.value)
    assert deployment.sagemaker.created == []


def test_the_command_of_the_error_lets_the_job_start(deployment: Deployment, ec2: Any, group: str) -> None:
    allow(ec2, group, ALL_TCP, source=group)
    create(deployment, [group])
    assert len(deployment.sagemaker.created) == 1


@pytest.mark.parametrize(
    "rules",
    [
        [{"IpProtocol": "-1"}],
        [
            {"IpProtocol": "tcp", "FromPort": 7777, "ToPort": 7777},
            {"IpProtocol": "tcp", "FromPort": 32768, "ToPort": 60999},
        ],
        [
            {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 40000},
            {"IpProtocol": "tcp", "FromPort": 40001, "ToPort": 65535},
        ],
    ],
)
def test_rules_that_together_allow_the_ports_are_enough(
    deployment: Deployment, ec2: Any, group: str, rules: list[dict[str, Any]]
) -> None:
    for rule in rules:
        allow(ec2, group, rule, source=group)
    create(deployment, [group])
    assert len(deployment.sagemaker.created) == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443},
        {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535},
        {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 40000},
    ],
)
def test_a_rule_for_other_ports_is_not_enough(
    deployment: Deployment, ec2: Any, group: str, rule: dict[str, Any]
) -> None:
    allow(ec2, group, rule, source=group)
    with pytest.raises(TrainingError, match="ingress"):
        create(deployment, [group])


def test_a_rule_for_another_group_is_not_enough(deployment: Deployment, ec2: Any, group: str) -> None:
    vpc = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["VpcId"]
    other = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    allow(ec2, group, ALL_TCP, source=other)
    with pytest.raises(TrainingError, match="ingress"):
        create(deployment, [group])
    create(deployment, [group, other])  # now the hosts are members of both
    assert len(deployment.sagemaker.created) == 1


def test_a_rule_for_addresses_counts_because_those_of_the_hosts_are_not_known_yet(
    deployment: Deployment, ec2: Any, group: str
) -> None:
    allow(ec2, group, {**ALL_TCP, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]})
    create(deployment, [group])
    assert len(deployment.sagemaker.created) == 1


def test_a_group_that_lets_only_https_out_is_refused(deployment: Deployment, ec2: Any, group: str) -> None:
    allow(ec2, group, ALL_TCP, source=group)
    everything = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[https])
    with pytest.raises(TrainingError, match="authorize-security-group-egress"):
        create(deployment, [group])


def test_a_group_that_does_not_exist_is_named(deployment: Deployment) -> None:
    with pytest.raises(TrainingError, match=r"training\.security_groups is sg-0dddddddddddddddd, but EC2 says"):
        create(deployment, ["sg-0dddddddddddddddd"])
    assert deployment.sagemaker.created == []


def test_a_single_host_needs_no_rule(deployment: Deployment, group: str) -> None:
    create(deployment, [group], hosts=1)
    assert len(deployment.sagemaker.created) == 1
