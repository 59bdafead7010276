"""The workbench's network: outbound traffic only, in a VPC of its own or in one that exists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.trust import for_this_account
from stacks.settings import WorkbenchSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the host and the notebook instance are."""

    subnet_id: str
    security_group_ids: Sequence[str]
    ready: Sequence[IDependable] = ()
    """What must exist before an instance starts there."""


def existing_place(scope: Construct, id: str, *, settings: WorkbenchSettings) -> Place:
    """The subnet of the settings. Nothing is looked up; with `vpc` alone its security group is made in that VPC."""
    groups = settings.security_groups
    if not groups:
        within = Construct(scope, id)
        vpc = ec2.Vpc.from_vpc_attributes(
            within, "Vpc", vpc_id=settings.vpc, availability_zones=[Fn.select(0, Fn.get_azs())]
        )
        groups = (_outbound(within, vpc).security_group_id,)
    return Place(subnet_id=settings.subnet, security_group_ids=groups)


def _outbound(scope: Construct, vpc: ec2.IVpc) -> ec2.SecurityGroup:
    return ec2.SecurityGroup(
        scope, "Outbound", vpc=vpc, description="Kennel workbench: out, never in", allow_all_outbound=True
    )


class WorkbenchNetwork(Construct):
    """A VPC with one public subnet and an S3 gateway endpoint. No NAT gateway (32 USD a month), no inbound rule."""

    def __init__(self, scope: Construct, id: str, *, zone_index: int) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.77.0.0/24"),
            availability_zones=[Fn.select(zone_index, Fn.get_azs())],
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=27)
            ],
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
            # CDK would add a Lambda function to empty the default group; nothing here uses that group
            restrict_default_security_group=False,
        )
        self._log_rejected_traffic(vpc)
        subnet = vpc.public_subnets[0]
        # Another address range in each zone: CloudFormation creates a new subnet before it deletes the old one.
        cast(ec2.CfnSubnet, subnet.node.default_child).cidr_block = f"10.77.0.{32 * zone_index}/27"
        self.place = Place(
            subnet_id=subnet.subnet_id,
            security_group_ids=[_outbound(self, vpc).security_group_id],
            ready=[subnet.internet_connectivity_established],
        )

    def _log_rejected_traffic(self, vpc: ec2.Vpc) -> None:
        """Log rejected traffic for 30 days. Accepted traffic is the workbench's own and not worth the cost of its log.

        L1, because the L2 gives its role the right to pass itself on.
        """
        log_group = OwnedLogGroup(self, "Refused", retention_days=30)
        role = iam.Role(
            self, "FlowLogRole", assumed_by=for_this_account("vpc-flow-logs.amazonaws.com", source="ec2:vpc-flow-log/*")
        )
        role.add_to_policy(
            allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=log_group.log_group_arn)
        )
        log = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_type="VPC",
            resource_id=vpc.vpc_id,
            traffic_type="REJECT",
            max_aggregation_interval=600,
            log_destination_type="cloud-watch-logs",
            log_group_name=log_group.log_group_name,
            deliver_logs_permission_arn=role.role_arn,
        )
        log.node.add_dependency(role)
