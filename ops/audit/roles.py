"""Each role of CloudFormation templates, with who can assume it and all of its statements."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.audit.values import listed, shown

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement of a policy, with references as text, such as `${Bucket.Arn}`."""

    policy: str
    """The name of the policy, or the logical id of a managed policy."""
    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> Json:
        """The statement as IAM has it."""
        parts = {
            "Action": self.actions,
            "NotAction": self.not_actions,
            "Resource": self.resources,
            "NotResource": self.not_resources,
        }
        filled = {key: list(value) for key, value in parts.items() if value}
        return {"Effect": self.effect, **filled, **({"Condition": self.conditions} if self.conditions else {})}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """One statement of a trust policy with one principal."""

    kind: str
    """Service, AWS, Federated or *."""
    principal: str
    effect: str
    actions: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role of one template. The documents are those of the template, with its references."""

    stack: str
    id: str
    """The logical id."""
    trusts: tuple[Trust, ...]
    statements: tuple[Statement, ...]
    foreign_policies: tuple[str, ...]
    """Attached policies that none of the templates defines."""
    trust_document: Json
    inline: Mapping[str, Json]
    """The inline policies by name; a name may be a reference."""
    attached: tuple[Any, ...]
    """What ManagedPolicyArns has."""
    managed: Mapping[str, tuple[str, Json]]
    """The attached policies that a template defines: by the text of the reference, logical id and document."""

    @property
    def where(self) -> str:
        return f"{self.stack}/{self.id}"


def read_folder(folder: Path) -> dict[str, Json]:
    """The templates of a folder that `cdk synth` wrote, by stack."""
    return {
        path.name.removesuffix(".template.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.template.json"))
    }


def roles(templates: Mapping[str, Json]) -> Iterator[Role]:
    """Every role of these templates. They are read together: one stack's role has policies of another."""
    exported = {
        (stack.lower(), name): (stack, output["Value"]["Ref"])
        for stack, template in templates.items()
        for name, output in template.get("Outputs", {}).items()
        if isinstance(output.get("Value"), dict) and "Ref" in output["Value"]
    }
    for stack, template in templates.items():
        for logical_id, resource in template.get("Resources", {}).items():
            if resource["Type"] == "AWS::IAM::Role":
                yield _role(stack, logical_id, resource.get("Properties", {}), templates, exported)


def _role(
    stack: str, logical_id: str, properties: Json, templates: Mapping[str, Json], exported: Mapping[Any, Any]
) -> Role:
    inline = {shown(each["PolicyName"]): each["PolicyDocument"] for each in properties.get("Policies", [])}
    managed: dict[str, tuple[str, Json]] = {}
    for other_id, other in templates[stack]["Resources"].items():
        more = other.get("Properties", {})
        if {"Ref": logical_id} in more.get("Roles", []):
            if other["Type"] == "AWS::IAM::Policy":
                inline[shown(more["PolicyName"])] = more["PolicyDocument"]
            elif other["Type"] == "AWS::IAM::ManagedPolicy":
                managed[shown({"Ref": other_id})] = (other_id, more["PolicyDocument"])
    attached = tuple(properties.get("ManagedPolicyArns", []))
    foreign = []
    for reference in attached:
        home = _home(reference, stack, exported)
        defined = templates.get(home[0], {}).get("Resources", {}).get(home[1]) if home else None
        if home is None or defined is None:
            foreign.append(shown(reference))
        else:
            managed[shown(reference)] = (home[1], defined["Properties"]["PolicyDocument"])
    documents = {**inline, **dict(managed.values())}
    trust = properties.get("AssumeRolePolicyDocument", {})
    return Role(
        stack=stack,
        id=logical_id,
        trusts=tuple(_trusts(trust)),
        statements=tuple(each for name, document in documents.items() for each in statements(document, name)),
        foreign_policies=tuple(foreign),
        trust_document=trust,
        inline=inline,
        attached=attached,
        managed=managed,
    )


def statements(document: Json, policy: str) -> Iterator[Statement]:
    """The statements of a policy document, with references as text."""
    for each in listed(document.get("Statement", [])):
        yield Statement(
            policy=policy,
            effect=each["Effect"],
            actions=tuple(map(shown, listed(each.get("Action", [])))),
            not_actions=tuple(map(shown, listed(each.get("NotAction", [])))),
            resources=tuple(map(shown, listed(each.get("Resource", [])))),
            not_resources=tuple(map(shown, listed(each.get("NotResource", [])))),
            conditions=_conditions(each),
        )


def _trusts(document: Json) -> Iterator[Trust]:
    for each in listed(document.get("Statement", [])):
        principals = each.get("Principal", "*")
        pairs = principals.items() if isinstance(principals, dict) else [("*", principals)]
        for kind, values in pairs:
            for value in listed(values):
                yield Trust(
                    kind=kind,
                    principal=shown(value),
                    effect=each["Effect"],
                    actions=tuple(map(shown, listed(each.get("Action", [])))),
                    conditions=_conditions(each),
                )


def _conditions(statement: Json) -> dict[str, Any]:
    return {
        operator: {key: [shown(value) for value in listed(values)] for key, values in pairs.items()}
        for operator, pairs in statement.get("Condition", {}).items()
    }


def _home(reference: Any, stack: str, exported: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Stack and logical id of what a reference names: in its own stack, or an output of another one."""
    if isinstance(reference, dict) and "Ref" in reference:
        return stack, reference["Ref"]
    if isinstance(reference, dict) and "Fn::GetStackOutput" in reference:
        output = reference["Fn::GetStackOutput"]
        found: tuple[str, str] | None = exported.get((output["StackName"].rpartition("-")[2], output["OutputName"]))
        return found
    return None
