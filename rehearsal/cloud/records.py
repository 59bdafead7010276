"""Resource types that are kept as records: the template's properties, a name, and nothing that runs.

docs/rehearsal.md lists them for users as "declared, not rehearsed".
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.cloud.api import Created, Json

Attributes = Callable[[str, Json], Json]


def _id(name: str, _: Json) -> Json:
    return {"Id": name}


ATTRIBUTES: dict[str, Attributes] = {
    "AWS::Budgets::Budget": _id,
    "AWS::EC2::FlowLog": _id,
    "AWS::EC2::Instance": lambda name, _: {"InstanceId": name, "PrivateIp": "10.0.0.10"},
    "AWS::SSM::Document": _id,
    "AWS::SageMaker::NotebookInstance": lambda name, _: {"NotebookInstanceName": name},
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": lambda name, _: {"NotebookInstanceLifecycleConfigName": name},
}
"""What Fn::GetAtt returns, by type."""


@dataclass
class Records:
    """The records of one local AWS."""

    declared: dict[str, str] = field(default_factory=dict)
    """Physical id -> "type stack/logical id"."""

    def types(self) -> "dict[str, RecordedType]":
        """A handler for each type."""
        return {name: RecordedType(name, self) for name in ATTRIBUTES}


@dataclass(frozen=True)
class RecordedType:
    """A type whose resources are records."""

    name: str
    records: Records

    def create(self, logical_id: str, properties: Json, stack: str) -> Created:
        """Note it."""
        physical_id = f"{stack}-{logical_id}-{uuid.uuid4().hex[:8]}"
        self.records.declared[physical_id] = f"{self.name} {stack}/{logical_id}"
        return Created(physical_id, ATTRIBUTES[self.name](physical_id, properties))

    def update(self, physical_id: str, _: Json, new: Json, __: str) -> Created:
        """Note the new properties."""
        return Created(physical_id, ATTRIBUTES[self.name](physical_id, new))

    def delete(self, physical_id: str, _: Json) -> None:
        """Forget it."""
        self.records.declared.pop(physical_id, None)
