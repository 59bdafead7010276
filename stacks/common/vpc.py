"""A VPC that exists, as SageMaker's VpcConfig: the rights to attach a container to it. Nothing is looked up."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from stacks.common.iam import allow
from stacks.common.nag import acknowledge, wildcard


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcAccess:
    """Subnets and security groups, both empty if the container runs in SageMaker's own network."""

    subnets: Sequence[str]
    security_groups: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.subnets)

    def attach(self, role: iam.Role) -> None:
        """Let SageMaker create and delete network interfaces in these subnets, and in no other, with this role.

        The actions are those that SageMaker documents for a role of a job or model in a VPC:
        https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
        """
        if not self:
            return
        interfaces = f"arn:{Aws.PARTITION}:ec2:{Aws.REGION}:{Aws.ACCOUNT_ID}:network-interface/*"
        subnets = [_arn("subnet", subnet) for subnet in self.subnets]
        groups = [_arn("security-group", group) for group in self.security_groups]
        for right in (
            allow("ec2:CreateNetworkInterface", on=[interfaces, *subnets, *groups]),
            allow(
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
                on=interfaces,
                conditions={"ArnLike": {"ec2:Subnet": subnets}},
            ),
            allow(
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                on="*",  # IAM defines no resource type for them
            ),
        ):
            role.add_to_policy(right)
        acknowledge(
            role,
            "EC2 chooses the ids of network interfaces; subnets and groups of a shared VPC belong to another account, "
            "and their ids are unique across accounts. IAM defines no resource type for the Describe calls.",
            *(wildcard(arn, within=role) for arn in (interfaces, *subnets, *groups, "*")),
        )


def _arn(kind: str, id: str) -> str:
    """In any account: a VPC that is shared belongs to the account that shares it."""
    return f"arn:{Aws.PARTITION}:ec2:{Aws.REGION}:*:{kind}/{id}"
