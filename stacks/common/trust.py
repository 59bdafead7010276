"""Trust policies of roles: a service may assume a role only on behalf of this account."""

from typing import cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import IConstruct


def for_this_account(service: str, *, source: str = "") -> iam.ServicePrincipal:
    """A service that acts for a resource of this account.

    Without the condition, the service could be asked from another account to use the role (the confused deputy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).

    source: the ARN of that resource from its service on, such as `codebuild:project/name`, if it is known; `*` may be
        part of it.
    """
    conditions: dict[str, dict[str, str]] = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
    if source:
        name, _, resource = source.partition(":")
        arn = f"arn:{Aws.PARTITION}:{name}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"
        conditions["ArnLike"] = {"aws:SourceArn": arn}
    return iam.ServicePrincipal(service, conditions=conditions)


def narrow_trust(role: IConstruct, principal: iam.ServicePrincipal) -> None:
    """Replace the trust policy of a role that a library created."""
    cast(iam.CfnRole, role.node.default_child).assume_role_policy_document = iam.PolicyDocument(
        statements=[iam.PolicyStatement(actions=["sts:AssumeRole"], principals=[principal])]
    )
