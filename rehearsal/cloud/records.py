"""Resource types that are kept as records: a name and the properties of the template. Nothing acts on them.

declared.py says for users why each of them is not rehearsed.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.cloud.api import Created, Json, ResourceType

Attributes = Callable[[str, Json, str], Json]
"""Physical id, properties of the template, and the account."""


def _of(*names: str) -> Attributes:
    """Attributes that are the physical id."""
    return lambda physical_id, _, __: dict.fromkeys(names, physical_id)


def _provider_arn(properties: Json, account: str) -> str:
    """The ARN has the address without its scheme."""
    return f"arn:aws:iam::{account}:oidc-provider/{str(properties['Url']).partition('://')[2]}"


ATTRIBUTES: dict[str, Attributes] = {
    "AWS::Budgets::Budget": _of("Id"),
    "AWS::EC2::EIP": lambda physical_id, _, __: {"AllocationId": physical_id, "PublicIp": "192.0.2.10"},
    "AWS::EC2::FlowLog": _of("Id"),
    "AWS::EC2::Instance": lambda physical_id, _, __: {"InstanceId": physical_id, "PrivateIp": "192.0.2.20"},
    "AWS::EC2::NatGateway": _of("NatGatewayId"),
    "AWS::EC2::SecurityGroupEgress": _of("Id"),
    "AWS::EC2::SecurityGroupIngress": _of("Id"),
    "AWS::IAM::OIDCProvider": lambda _, properties, account: {"Arn": _provider_arn(properties, account)},
    "AWS::SSM::Document": _of("Name"),
    "AWS::SageMaker::NotebookInstance": _of("NotebookInstanceName"),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": _of("NotebookInstanceLifecycleConfigName"),
}
"""What Fn::GetAtt returns, by type. 192.0.2.0/24 is for examples (RFC 5737)."""


@dataclass(frozen=True)
class RecordedType:
    """A type whose resources are records. attributes: what Fn::GetAtt returns."""

    attributes: Attributes
    account: str

    def create(self, logical_id: str, properties: Json, stack: str) -> Created:
        """Give it a name."""
        physical_id = f"{stack}-{logical_id}-{secrets.token_hex(6)}"
        return Created(physical_id, self.attributes(physical_id, properties, self.account))

    def update(self, physical_id: str, _: Json, new: Json, __: str) -> Created:
        """Keep its name."""
        return Created(physical_id, self.attributes(physical_id, new, self.account))

    def delete(self, physical_id: str, properties: Json) -> None:
        """There is nothing to delete."""


def recorded_types(account: str) -> dict[str, ResourceType]:
    """A handler for each type."""
    return {name: RecordedType(attributes, account) for name, attributes in ATTRIBUTES.items()}
