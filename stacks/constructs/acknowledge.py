"""Findings of cdk-nag that are meant to be: each beside its resource, with the reason."""

from typing import cast

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *findings: str) -> None:
    """Acknowledge findings on one resource: `SM2` is of AwsSolutions; a name of the Serverless pack is written out."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=_full(finding), reason=reason) for finding in findings))


def _full(finding: str) -> str:
    return finding if finding.startswith("Serverless-") else f"AwsSolutions-{finding}"


def wildcard(*parts: str | IConstruct) -> str:
    """The finding for a resource that ends in a wildcard. A construct stands for its ARN, as cdk-nag writes it."""
    return f"IAM5[Resource::{''.join(part if isinstance(part, str) else _arn(part) for part in parts)}]"


def _arn(construct: IConstruct) -> str:
    resource = cast(CfnElement, construct.node.default_child)
    return f"<{Stack.of(construct).get_logical_id(resource)}.Arn>"
