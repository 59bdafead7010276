"""What is wrong with a role by itself: who can assume it, wildcards, and rights that let it gain others.

The combinations of actions that let a role gain rights, the actions that return credentials or change permissions, and
which actions IAM can limit to resources are cloudsplaining's and policy_sentry's data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from cloudsplaining.scan.policy_document import PolicyDocument
from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS
from policy_sentry.querying.actions import get_action_data

from ops.audit.accepted import reason
from ops.audit.finding import Finding, Severity
from ops.audit.roles import Role, Statement, Trust

WITHOUT_SOURCE = {
    "ec2.amazonaws.com": "EC2 hands the role to an instance of this account, and documents no key for that.",
    "lambda.amazonaws.com": "Lambda documents no key for the assumption of an execution role.",
}
"""Services whose trust cannot be limited to this account by a condition."""
SOURCES = ("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths")
"""Condition keys that limit for whom a service acts."""


def findings(role: Role) -> Iterator[Finding]:
    """Every finding of a role, with the reason if it is accepted."""
    for check in (_trust, _policies, _wildcards, _resources, _escalation, _exposure):
        for each in check(role):
            yield replace(each, accepted=reason(each))


def _finding(role: Role, severity: Severity, subject: str, summary: str, remedy: str) -> Finding:
    return Finding(severity=severity, subject=subject, where=role.where, summary=summary, remedy=remedy)


# -- who can assume it


def _trust(role: Role) -> Iterator[Finding]:
    for each in role.trusts:
        if each.effect != "Allow":
            continue
        if each.principal == "*":
            limited = "although conditions limit it" if each.conditions else "without a condition"
            yield _finding(
                role,
                "medium" if each.conditions else "high",
                "trust",
                f"Every AWS account can assume this role, {limited}.",
                "Name the service or the role that has to assume it as the principal.",
            )
        elif each.kind == "Service":
            yield from _service(role, each)
        elif each.kind == "Federated":
            yield from _federated(role, each)
        elif each.kind == "AWS":
            yield from _account(role, each)


def _service(role: Role, trust: Trust) -> Iterator[Finding]:
    if trust.principal not in WITHOUT_SOURCE and not _keys(trust.conditions) & set(SOURCES):
        yield _finding(
            role,
            "medium",
            "trust",
            f"{trust.principal} can assume this role for any account: no condition names aws:SourceAccount or "
            "aws:SourceArn.",
            "Add the condition aws:SourceAccount with this account (the confused deputy problem).",
        )


def _federated(role: Role, trust: Trust) -> Iterator[Finding]:
    subjects = [
        value
        for pairs in trust.conditions.values()
        for key, values in pairs.items()
        if key.lower().endswith((":sub", ":aud", "saml:sub"))
        for value in values
    ]
    if not subjects or all(set(value.rpartition(":")[2]) <= {"*"} for value in subjects):
        yield _finding(
            role,
            "high",
            "trust",
            f"Every identity of {trust.principal} can assume this role.",
            "Add a condition on the token's subject, such as one repository and one branch.",
        )


def _account(role: Role, trust: Trust) -> Iterator[Finding]:
    if trust.principal.endswith("${AWS::AccountId}:root") or trust.principal == "${AWS::AccountId}":
        yield _finding(
            role,
            "low",
            "trust",
            "Each identity of this account that has the right sts:AssumeRole can assume this role.",
            "Name the one role or user that has to assume it.",
        )
    elif "${AWS::AccountId}" not in trust.principal and not trust.principal.startswith("${"):
        yield _finding(
            role,
            "medium",
            "trust",
            f"Another account can assume this role: {trust.principal}.",
            "Remove the principal, unless that account belongs to you and has to assume it.",
        )


def _keys(conditions: Mapping[str, Any]) -> set[str]:
    return {key.lower() for pairs in conditions.values() for key in pairs}


# -- what it can do


def _policies(role: Role) -> Iterator[Finding]:
    for policy in role.foreign_policies:
        name = policy.rpartition("/")[2]
        broad = "FullAccess" in name or name in ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
        yield _finding(
            role,
            "high" if broad else "medium",
            "policy",
            f"The policy {policy} is attached, which no template here defines. Its owner can widen it at any time.",
            "Write the rights that the role needs into its own policy.",
        )


def _wildcards(role: Role) -> Iterator[Finding]:
    for each in _allowing(role):
        for action in each.actions:
            if "*" in action or "?" in action:
                whole = action == "*" or action.partition(":")[2] == "*"
                yield _finding(
                    role,
                    "high" if whole else "medium",
                    "wildcard",
                    f"{each.policy} allows {action}, and each action that AWS adds to it.",
                    "List the actions that the role calls.",
                )
        if each.not_actions:
            text = ", ".join(each.not_actions)
            yield _finding(
                role,
                "high",
                "wildcard",
                f"{each.policy} allows everything but {text} (NotAction).",
                "List the actions that the role calls.",
            )
        if each.not_resources:
            text = ", ".join(each.not_resources)
            yield _finding(
                role,
                "high",
                "wildcard",
                f"{each.policy} allows {', '.join(each.actions)} on everything but {text} (NotResource).",
                "Name the resources that the role uses.",
            )


def _resources(role: Role) -> Iterator[Finding]:
    for each in _allowing(role):
        for action in each.actions:
            service, _, name = action.partition(":")
            if "*" in action or "?" in action:
                continue
            known = get_action_data(service, name)
            if not known:
                yield _finding(
                    role,
                    "medium",
                    "action",
                    f"IAM has no action {action}, so {each.policy} allows nothing with it.",
                    "Correct the name of the action.",
                )
            elif "*" in each.resources and any(form["resource_arn_format"] != "*" for form in known[service.lower()]):
                yield _finding(
                    role,
                    "medium",
                    "resource",
                    f"{each.policy} allows {action} on every resource, although IAM can limit it to resources.",
                    "Name the resources that the role uses.",
                )


# -- what it can gain


def _escalation(role: Role) -> Iterator[Finding]:
    """Cloudsplaining's rule first; then the same combinations where the role's statements name resources."""
    unlimited = {found["type"] for found in _document(role).allows_privilege_escalation}
    for method in sorted(unlimited):
        yield _finding(
            role,
            "high",
            "escalation",
            f"The role can gain other rights ({method}) with {_named(method)} on every resource.",
            "Name the resources, and for iam:PassRole the one role and the service that gets it.",
        )
    for method, actions in sorted(PRIVILEGE_ESCALATION_METHODS.items()):
        held = {action: _allows(role, action) for action in actions}
        if method not in unlimited and all(held.values()):
            over = sorted({resource for each in held.values() for one in each for resource in one.resources})
            passes = "iam:passrole" in actions
            gained = sorted({resource for one in held.get("iam:passrole", []) for resource in one.resources})
            what = f"It gains the rights of {', '.join(gained)} alone" if passes else f"Only on {', '.join(over)}"
            yield Finding(
                severity="note",
                subject="escalation",
                where=role.where,
                summary=f"The role has {_named(method)} ({method}), limited to named resources. {what}.",
            )


def _named(method: str) -> str:
    return " and ".join(sorted(PRIVILEGE_ESCALATION_METHODS[method]))


def _allows(role: Role, action: str) -> list[Statement]:
    """The statements that allow an action, which is in lower case."""
    return [each for each in _allowing(role) if any(fnmatchcase(action, one.lower()) for one in each.actions)]


def _exposure(role: Role) -> Iterator[Finding]:
    document = _document(role)
    rules: tuple[tuple[list[str], Severity, str, str], ...] = (
        (document.permissions_management_without_constraints, "high", "change who may do what", "Name the resources."),
        (document.allows_data_exfiltration_actions, "medium", "read data or secrets", "Name the resources."),
    )
    for actions, severity, what, remedy in rules:
        if actions:
            text = ", ".join(sorted(actions))
            yield _finding(role, severity, "exposure", f"The role can {what} on every resource: {text}.", remedy)
    for action in sorted(document.credentials_exposure):
        yield Finding(
            severity="note",
            subject="exposure",
            where=role.where,
            summary=f"{action} returns a credential.",
        )


def _document(role: Role) -> PolicyDocument:
    """All policies together: rights that allow an escalation only in combination may be in two of them."""
    statements = [each.document() for each in role.statements]
    return PolicyDocument({"Version": "2012-10-17", "Statement": statements})


def _allowing(role: Role) -> Iterator[Statement]:
    return (each for each in role.statements if each.effect == "Allow")
