"""Each role of a synthesised app with all of its statements, those of attached policies included."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass
class Role:
    name: str
    """Stack and logical id."""
    statements: list[Json] = field(default_factory=list)
    """Statements with the effect Allow. References are replaced by text without a wildcard."""
    foreign_policies: list[str] = field(default_factory=list)
    """Attached policies that no template here defines."""


def roles(folder: Path) -> Iterator[Role]:
    """The roles of every `*.template.json` in a folder."""
    stacks = {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in _templates(folder)}
    by_output = {
        (stack.lower(), name): (stack, output["Value"]["Ref"])
        for stack, template in stacks.items()
        for name, output in template.get("Outputs", {}).items()
        if isinstance(output["Value"], dict) and "Ref" in output["Value"]
    }
    for stack, template in stacks.items():
        resources = template.get("Resources", {})
        for logical_id, resource in resources.items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            role = Role(f"{stack}/{logical_id}")
            properties = resource["Properties"]
            for policy in properties.get("Policies", []):
                role.statements += _allowing(policy["PolicyDocument"])
            for other in resources.values():
                attached = other.get("Properties", {}).get("Roles", [])
                if other["Type"] == "AWS::IAM::Policy" and {"Ref": logical_id} in attached:
                    role.statements += _allowing(other["Properties"]["PolicyDocument"])
            for arn in properties.get("ManagedPolicyArns", []):
                policy = _managed(arn, stack, stacks, by_output)
                if policy is None:
                    role.foreign_policies.append(json.dumps(arn))
                else:
                    role.statements += _allowing(policy["Properties"]["PolicyDocument"])
            yield role


def _templates(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.template.json"))


def _managed(arn: Any, stack: str, stacks: Json, by_output: dict[tuple[str, str], tuple[str, str]]) -> Json | None:
    """The managed policy that a reference in the stack, or to another stack's output, points to."""
    if isinstance(arn, dict) and "Ref" in arn:
        home, logical_id = stack, arn["Ref"]
    elif isinstance(arn, dict) and "Fn::GetStackOutput" in arn:
        output = arn["Fn::GetStackOutput"]
        home, logical_id = by_output[output["StackName"].rpartition("-")[2], output["OutputName"]]
    else:
        return None
    policy: Json = stacks[home]["Resources"][logical_id]
    return policy


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
