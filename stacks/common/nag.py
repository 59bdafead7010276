"""Acknowledge findings of cdk-nag, each next to its resource and with the reason."""

import json

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *findings: str) -> None:
    """Acknowledge findings on one resource. `SM2` means AwsSolutions-SM2; a `Serverless-...` rule is written out."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=_full(finding), reason=reason) for finding in findings))


def _full(finding: str) -> str:
    return finding if finding.startswith("Serverless-") else f"AwsSolutions-{finding}"


def wildcard(arn: str, *, within: IConstruct) -> str:
    """The id of the finding for an ARN with a wildcard, with references in cdk-nag's notation."""
    return f"IAM5[Resource::{_text(Stack.of(within).resolve(arn))}]"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    match value:
        case {"Fn::Join": [separator, [*parts]]}:
            return str(separator).join(_text(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
    return json.dumps(value, separators=(",", ":"))
