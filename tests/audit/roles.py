"""Each role of a synthesised app with the statements that allow something, in the form that cloudsplaining reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.audit import roles as templates

Json = dict[str, Any]


@dataclass(frozen=True)
class Role:
    name: str
    """Stack and logical id."""
    statements: list[Json]
    """Those with the effect Allow. References are replaced by text without a wildcard."""
    foreign_policies: tuple[str, ...]
    """Attached policies that no template here defines."""


def roles(folder: Path) -> Iterator[Role]:
    """The roles of every `*.template.json` in a folder."""
    for role in templates.roles(templates.read_folder(folder)):
        documents = [*role.inline.values(), *(document for _, document in role.managed.values())]
        yield Role(role.where, [each for document in documents for each in _allowing(document)], role.foreign_policies)


def _allowing(document: Json) -> list[Json]:
    statements = document["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return [
        {**statement, "Resource": _text(statement["Resource"])}
        for statement in listed
        if statement["Effect"] == "Allow"
    ]


def _text(value: Any) -> Any:
    """A resource as text. Values that CloudFormation fills in become names."""
    if isinstance(value, list):
        return [_text(part) for part in value]
    if not isinstance(value, dict):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        return argument[0].join(_text(part) for part in argument[1])
    if function == "Ref" and argument.startswith("AWS::"):
        return {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}[argument]
    if function in ("Ref", "Fn::GetAtt"):
        name = argument if isinstance(argument, str) else argument[0]
        return f"arn:aws:of-this-stack:eu-west-1:123456789012:{name}"
    if function in ("Fn::GetStackOutput", "Fn::FindInMap", "Fn::Sub", "Fn::Select"):
        return f"arn:aws:of-another-stack:eu-west-1:123456789012:{function}"
    raise ValueError(f"no text for {value}")
