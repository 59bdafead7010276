"""A network for the workbench: out to the internet, nothing in."""

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.constructs.acknowledge import acknowledge


class WorkbenchNetwork(Construct):
    """One public subnet and a free way to S3. No NAT gateway (about 32 dollars a month), and no inbound rule."""

    def __init__(self, scope: Construct, id: str, *, zone_index: int) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.77.0.0/24"),
            availability_zones=[Fn.select(zone_index, Fn.get_azs())],
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=25)
            ],
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
            # CDK would empty the default group by a Lambda function; nothing here is ever in that group
            restrict_default_security_group=False,
        )
        acknowledge(
            vpc, "Two machines that nothing can reach, for hours at a time; a flow log would tell nothing.", "VPC7"
        )
        subnet = vpc.public_subnets[0]
        self.subnet_id = subnet.subnet_id
        self.ready = subnet.internet_connectivity_established
        self.security_group = ec2.SecurityGroup(
            self, "Outbound", vpc=vpc, description="Kennel workbench: out, never in", allow_all_outbound=True
        )
