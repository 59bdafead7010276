"""The synthesised templates: every resource of every stack, and what refers to it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.cost.price_table import CostError


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    stack: str
    id: str
    type: str
    properties: Mapping[str, Any]

    def refers(self, other: "Resource") -> bool:
        """Whether a property of this resource is a reference to the other, which is in the same stack."""
        return self.stack == other.stack and other.id in _references(self.properties)

    def number(self, name: str, default: Any = None) -> float:
        """The number in a property; custom resources have it as text.

        Raises CostError if the template does not have the number itself, but a reference to it.
        """
        value = self.properties.get(name, default)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise CostError(
                f"{name} of {self.id} in the stack {self.stack} must be a number in the template, but is {value!r}; "
                "set it to a number."
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Templates:
    resources: tuple[Resource, ...]
    stacks: tuple[str, ...]

    def of_type(self, type: str) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.type == type)

    def referring(self, resource: Resource, type: str) -> list[Resource]:
        """The resources of a type that refer to this one."""
        return [other for other in self.of_type(type) if other.refers(resource)]

    def referred(self, resource: Resource, type: str) -> list[Resource]:
        """The resources of a type that this one refers to."""
        return [other for other in self.of_type(type) if resource.refers(other)]


def read(folder: Path) -> Templates:
    """The templates in the output folder of `cdk synth`. Raises CostError if there are none."""
    files = sorted(folder.glob("*.template.json"))
    if not files:
        raise CostError(f"There are no templates in {folder}. Run `make synth`, which writes them to cdk.out/.")
    resources = [
        Resource(stack=stack, id=logical_id, type=body["Type"], properties=body.get("Properties", {}))
        for file in files
        for stack in [file.name.removesuffix(".template.json")]
        for logical_id, body in json.loads(file.read_text(encoding="utf-8")).get("Resources", {}).items()
    ]
    return Templates(
        resources=tuple(resources), stacks=tuple(file.name.removesuffix(".template.json") for file in files)
    )


def _references(value: Any) -> set[str]:
    """The logical ids in the Ref and Fn::GetAtt of a value."""
    if isinstance(value, Mapping):
        own = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
        attribute = value.get("Fn::GetAtt")
        if isinstance(attribute, list):
            own.add(attribute[0])
        return own.union(*(_references(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(part) for part in value))
    return set()
