"""The way to S3 and to the peers from subnets and security groups of the user."""

from typing import Any

import pytest

from tests.preflight.account import Account
from tests.preflight.ready import client, findings, only

SUBJECT = "routes and rules"
ALL_TCP = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}


class Vpc:
    """A VPC with two private subnets, each in a zone of its own, and a group that lets its members meet."""

    def __init__(self, account: Account, *, block: str = "10.0") -> None:
        self.ec2 = client(account, "ec2")
        self.id = str(self.ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"])
        self.subnets = [self.subnet(f"{block}.{number}.0/24", f"eu-west-1{'ab'[number]}") for number in range(2)]
        self.group = self.new_group("job")
        self.let_members_meet()
        filters = [{"Name": "vpc-id", "Values": [self.id]}]
        self.table = str(self.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"])

    def subnet(self, block: str, zone: str) -> str:
        return str(self.ec2.create_subnet(VpcId=self.id, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"])

    def new_group(self, name: str) -> str:
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.id)["GroupId"])

    def let_members_meet(self) -> None:
        rule: dict[str, Any] = {**ALL_TCP, "UserIdGroupPairs": [{"GroupId": self.group}]}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def s3_endpoint(self, kind: str = "Gateway") -> None:
        ids = {"RouteTableIds": [self.table]} if kind == "Gateway" else {"SubnetIds": self.subnets}
        self.ec2.create_vpc_endpoint(
            VpcId=self.id, ServiceName="com.amazonaws.eu-west-1.s3", VpcEndpointType=kind, **ids
        )

    def settings(self, *sections: str) -> dict[str, object]:
        both = {"subnets": ",".join(self.subnets), "security_groups": self.group}
        return {f"{section}.{name}": value for section in sections for name, value in both.items()}


@pytest.fixture
def vpc(account: Account) -> Vpc:
    return Vpc(account)


@pytest.mark.parametrize("kind", ["Gateway", "Interface"])
def test_a_vpc_with_an_endpoint_for_s3_and_a_group_whose_members_meet(vpc: Vpc, kind: str) -> None:
    vpc.s3_endpoint(kind)
    assert findings(SUBJECT, vpc.settings("training", "serving")) == []


def test_settings_without_a_network_look_nothing_up(account: Account) -> None:
    assert findings(SUBJECT) == []
    assert account.calls.get("ec2.DescribeRouteTables", 0) == 0


@pytest.mark.parametrize(("section", "why"), [("training", "read the photos"), ("serving", "load the artifact")])
def test_a_subnet_without_a_route_to_s3(vpc: Vpc, section: str, why: str) -> None:
    found = findings(SUBJECT, vpc.settings(section))
    assert [finding.severity for finding in found] == ["error", "error"]
    for subnet, finding in zip(vpc.subnets, found, strict=True):
        assert finding.summary.startswith(f"{subnet} ({section}.subnets) has no route to S3")
        assert why in finding.summary
        assert (
            f"--vpc-id {vpc.id} --service-name com.amazonaws.eu-west-1.s3 --route-table-ids {vpc.table}"
            in finding.remedy
        )


def test_the_remedy_gives_the_route(vpc: Vpc) -> None:
    assert len(findings(SUBJECT, vpc.settings("training"))) == 2
    vpc.s3_endpoint()
    assert findings(SUBJECT, vpc.settings("training")) == []


def test_a_nat_gateway_is_a_route_and_an_internet_gateway_is_none(vpc: Vpc) -> None:
    """What SageMaker puts into a subnet has no public address."""
    gateway = vpc.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc.id)
    vpc.ec2.create_route(RouteTableId=vpc.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert len(findings(SUBJECT, vpc.settings("training"))) == 2

    nat = vpc.ec2.create_nat_gateway(SubnetId=vpc.subnets[0], ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    vpc.ec2.replace_route(RouteTableId=vpc.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert findings(SUBJECT, vpc.settings("training")) == []


def test_the_table_of_a_subnet_counts_and_not_that_of_its_vpc(vpc: Vpc) -> None:
    vpc.s3_endpoint()
    table = vpc.ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    vpc.ec2.associate_route_table(RouteTableId=table, SubnetId=vpc.subnets[1])
    finding = only(SUBJECT, vpc.settings("training"))
    assert finding.summary.startswith(vpc.subnets[1])
    assert table in finding.remedy


def test_a_group_of_another_vpc(account: Account, vpc: Vpc) -> None:
    vpc.s3_endpoint()
    other = Vpc(account, block="10.1")
    finding = only(SUBJECT, vpc.settings("training") | {"training.security_groups": other.group})
    start = f"training.subnets and training.security_groups are in different VPCs ({other.group})"
    assert finding.summary == f"{start}, and AWS accepts only one."


def test_subnets_of_the_endpoint_in_one_zone(vpc: Vpc) -> None:
    vpc.s3_endpoint()
    same = vpc.subnet("10.0.9.0/24", "eu-west-1a")
    finding = only(SUBJECT, vpc.settings("serving") | {"serving.subnets": f"{vpc.subnets[0]},{same}"})
    assert finding.summary == "All serving.subnets are in eu-west-1a, but an endpoint needs two availability zones."
    assert findings(SUBJECT, vpc.settings("training") | {"training.subnets": f"{vpc.subnets[0]},{same}"}) == []


def test_a_group_that_keeps_the_hosts_apart(vpc: Vpc) -> None:
    vpc.s3_endpoint()
    closed = vpc.new_group("closed")
    settings = vpc.settings("training") | {"training.security_groups": closed}
    finding = only(SUBJECT, settings)
    assert "do not allow ingress between the 2 hosts" in finding.summary
    assert f"aws ec2 authorize-security-group-ingress --group-id {closed}" in finding.remedy
    assert findings(SUBJECT, settings | {"training.instance_count": 1}) == []


def test_the_notebook_without_internet_is_a_warning(vpc: Vpc) -> None:
    settings = {"workbench.subnet": vpc.subnets[0], "workbench.vpc": vpc.id}
    assert findings(SUBJECT, settings) == []
    finding = only(SUBJECT, settings | {"workbench.notebook_internet": "false"})
    assert finding.severity == "warning"
    assert "the notebook instance could not get its code" in finding.summary


def test_ids_that_do_not_exist_are_left_to_the_check_of_the_ids(account: Account) -> None:
    settings = {"training.subnets": "subnet-00000000", "training.security_groups": "sg-00000000"}
    assert findings(SUBJECT, settings) == []
