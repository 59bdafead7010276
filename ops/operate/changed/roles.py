"""Roles, beside their templates: what they can no longer do."""

import json
from collections.abc import Iterator
from typing import Any

from ops.audit import drift
from ops.audit.drift import ANY
from ops.audit.roles import Role, roles
from ops.operate.changed.declared import Change, Declared, answered, command

_PRINT = "aws cloudformation get-template --stack-name {stack} prints the policy; write it again with aws iam {verb}"


def role(declared: Declared) -> Iterator[Change]:
    """Policies and a trust policy that are gone, statements that deny, and a permissions boundary."""
    iam, name = declared.client("iam"), declared.physical
    live = answered(lambda: iam.get_role(RoleName=name))
    if live is None:
        yield declared.deleted(kind="role")
        return
    (of_template,) = [each for each in _roles(declared) if each.id == declared.id]
    deployed = _deployed(iam, name, live["Role"]["AssumeRolePolicyDocument"])
    for each in drift.differences(of_template, deployed, declared.references):
        if each.loses:
            yield declared.changed(each.summary.removesuffix("."), _undo(each, declared), "role")
    yield from _boundary(declared, live["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"))


def _roles(declared: Declared) -> Iterator[Role]:
    return roles({declared.stack: dict(declared.template)})


def _deployed(iam: Any, name: str, trust: Any) -> drift.Deployed:
    """The role of the account. The documents of attached policies are not read."""
    inline = {
        each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for each in page["PolicyNames"]
    }
    attached = {
        each["PolicyArn"]: None
        for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        for each in page["AttachedPolicies"]
    }
    return drift.Deployed(trust=trust, inline=inline, attached=attached)


def _undo(difference: drift.Difference, declared: Declared) -> str:
    name, policy = ("--role-name", declared.physical), difference.policy
    document = json.dumps(declared.resolved(difference.document))
    match difference.undo:
        case "put" if "..." in document or ANY in policy:
            return _PRINT.format(stack=declared.stack, verb=f"put-role-policy --role-name {declared.physical}")
        case "put":
            return command(
                "aws", "iam", "put-role-policy", *name, "--policy-name", policy, "--policy-document", document
            )
        case "attach":
            return command("aws", "iam", "attach-role-policy", *name, "--policy-arn", policy.replace(ANY, "..."))
        case "delete":
            return command("aws", "iam", "delete-role-policy", *name, "--policy-name", policy)
        case "detach":
            return command("aws", "iam", "detach-role-policy", *name, "--policy-arn", policy)
        case "trust":
            return command("aws", "iam", "update-assume-role-policy", *name, "--policy-document", document)


def _boundary(declared: Declared, live: str | None) -> Iterator[Change]:
    wanted = declared.get("PermissionsBoundary", default="")
    put_back = (
        command("aws", "iam", "put-role-permissions-boundary", "--role-name", declared.physical)
        + f" --permissions-boundary {declared.text(wanted)}"
        if wanted
        else command("aws", "iam", "delete-role-permissions-boundary", "--role-name", declared.physical)
    )
    yield from declared.compared("permissions boundary", live or "", wanted, put_back, "role", breaks=not wanted)
