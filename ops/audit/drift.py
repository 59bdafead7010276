"""How a role of the account differs from the template that deployed it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ops.audit.finding import Finding
from ops.audit.roles import Json, Role
from ops.audit.values import listed, shown

ANY = "\0"
"""Stands for text that a template does not have: an attribute that only CloudFormation knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """A role as the account has it."""

    trust: Json
    inline: Mapping[str, Json]
    attached: Mapping[str, Json | None]
    """The attached policies by ARN, with the document of those that belong to this account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """What the references of one stack's template stand for."""

    pseudo: Mapping[str, str]
    """The values of AWS::Region and the other pseudo parameters, and of the template's parameters."""
    physical: Mapping[str, str]
    """The physical ids by logical id."""
    outputs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By stack and name, of every stack of the environment."""
    arns: Mapping[str, str] = field(default_factory=dict)
    """The ARNs by logical id, as far as they are known."""

    def text(self, value: Any) -> str:
        """A value with each reference replaced; ANY for a part that cannot be known here."""
        if not isinstance(value, dict):
            return shown(value)
        ((function, argument),) = value.items() if len(value) == 1 else (("", None),)
        match function, argument:
            case "Ref", str(name):
                return self.pseudo.get(name) or self.physical.get(name) or ANY
            case "Fn::GetAtt", [name, "Arn"] if name in self.arns:
                return self.arns[name]
            case "Fn::GetAtt", [name, "Arn"] if name in self.physical:
                found = self.physical[name]
                return found if found.startswith("arn:") else f"{ANY}{found}{ANY}"
            case "Fn::Join", [separator, list(parts)]:
                return str(separator).join(map(self.text, parts))
            case "Fn::Sub", str(text):
                return re.sub(r"\$\{([^}!]+)\}", lambda name: self.text({"Ref": name[1]}), text)
            case "Fn::GetStackOutput", {"StackName": stack, "OutputName": name}:
                return self.outputs.get((self.text(stack), name), ANY)
        return ANY


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One difference between a role and its template."""

    summary: str
    loses: bool
    """Whether the role can do less than the template says."""
    undo: Literal["put", "attach", "delete", "detach", "trust"]
    """What restores the template: to put or delete the inline policy, to attach or detach the managed one, or to write
    the trust policy."""
    policy: str = ""
    """The name of the inline policy, or the ARN of the managed one, in which ANY stands for what is not known."""
    document: Json = field(default_factory=dict)
    """The document of the template, for `put` and `trust`."""


def findings(role: Role, deployed: Deployed, references: References) -> Iterator[Finding]:
    """A finding for each difference."""
    for each in differences(role, deployed, references):
        yield _finding(role, each.summary)


def differences(role: Role, deployed: Deployed, references: References) -> Iterator[Difference]:
    """Each difference."""
    if not same(role.trust_document, deployed.trust, references):
        text = json.dumps(deployed.trust.get("Statement", []), sort_keys=True)
        summary = f"The trust policy is not that of the template. The account has: {text}"
        yield Difference(summary=summary, loses=True, undo="trust", document=role.trust_document)
    for name, document in role.inline.items():
        pattern = references.text(name)
        live = next((each for key, each in deployed.inline.items() if _matches(pattern, key)), None)
        if live is None:
            summary = f"The inline policy {name} of the template is not in the account."
            yield Difference(summary=summary, loses=True, undo="put", policy=pattern, document=document)
        elif not same(document, live, references):
            yield _changed(name, document, live, references)
    expected = [references.text(name) for name in role.inline]
    for name, document in deployed.inline.items():
        if not any(_matches(each, name) for each in expected):
            summary = f"The inline policy {name} is not in the template. It {_rights(document)}."
            yield Difference(summary=summary, loses=_denies(document), undo="delete", policy=name)
    yield from _attached(role, deployed, references)


def _attached(role: Role, deployed: Deployed, references: References) -> Iterator[Difference]:
    expected = {shown(each): references.text(each) for each in role.attached}
    for reference, pattern in expected.items():
        live = next((arn for arn in deployed.attached if _matches(pattern, arn)), None)
        if live is None:
            summary = f"The policy {reference} of the template is not attached in the account."
            yield Difference(summary=summary, loses=True, undo="attach", policy=pattern)
    for arn, document in deployed.attached.items():
        if not any(_matches(pattern, arn) for pattern in expected.values()):
            if any(references.text({"Ref": each}) == arn for each, _ in role.managed.values()):
                continue  # a policy of the template that names its roles itself
            rights = f" It {_rights(document)}." if document else ""
            summary = f"The policy {arn} is attached, and is not in the template.{rights}"
            yield Difference(summary=summary, loses=_denies(document or {}), undo="detach", policy=arn)


def _changed(name: str, template: Json, live: Json, references: References) -> Difference:
    """The statements that were added, and those that are gone."""
    wanted, there = listed(template.get("Statement", [])), listed(live.get("Statement", []))
    added = [each for each in there if not any(same(one, each, references) for one in wanted)]
    gone = [each for each in wanted if not any(same(each, one, references) for one in there)]
    parts = []
    if added:
        parts.append(f"the account {_rights({'Statement': added})}")
    if gone:
        parts.append(f"the template {_rights({'Statement': gone})}")
    return Difference(
        summary=f"The inline policy {name} was changed: {', and '.join(parts) or 'its statements differ'}.",
        loses=bool(gone) or _denies({"Statement": added}),
        undo="put",
        policy=references.text(name),
        document=template,
    )


def _denies(document: Json) -> bool:
    return any(each.get("Effect") == "Deny" for each in listed(document.get("Statement", [])))


def _rights(document: Json) -> str:
    """What a document allows and denies, as the end of a sentence."""
    said = []
    for each in listed(document.get("Statement", [])):
        actions = ", ".join(shown(one) for one in listed(each.get("Action", each.get("NotAction", []))))
        resources = ", ".join(shown(one) for one in listed(each.get("Resource", each.get("NotResource", []))))
        verb = "allows" if each.get("Effect") == "Allow" else "denies"
        excepted = " all but" if "NotAction" in each else ""
        said.append(f"{verb}{excepted} {actions} on {resources}")
    return " and ".join(said) or "allows nothing"


def _finding(role: Role, summary: str) -> Finding:
    return Finding(
        severity="medium",
        subject="drift",
        where=role.where,
        summary=summary,
        remedy="Find out who changed it (CloudTrail has the event). Then write the change into the app and deploy it, "
        "or undo it in IAM.",
    )


def same(template: Any, live: Any, references: References) -> bool:
    """Whether a document of the account is that of the template. IAM accepts one value where it accepts a list."""
    if isinstance(live, dict) and isinstance(template, dict) and not _is_reference(template):
        return template.keys() == live.keys() and all(same(template[key], live[key], references) for key in live)
    if isinstance(template, list) or isinstance(live, list):
        wanted, there = listed(template), list(listed(live))
        if len(wanted) != len(there):
            return False
        for each in wanted:
            match = next((one for one in there if same(each, one, references)), None)
            if match is None:
                return False
            there.remove(match)
        return True
    if isinstance(live, dict):
        return False
    return _matches(references.text(template), shown(live))


def _is_reference(value: Json) -> bool:
    return len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::"))


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split(ANY))), text, re.DOTALL) is not None
