"""Checks the templates of both environments against independent rules. `make audit` runs this in `.venv-audit`.

    python -m tests.audit FOLDER...

The checks: checkov has no finding outside `ACCEPTED`; cloudsplaining finds no privilege escalation in any role; each
action exists, and is limited to resources where IAM supports that; a role is passed to one service only; and the
training image of each region is the one that AWS's SDK names.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudsplaining.scan.policy_document import PolicyDocument
from policy_sentry.querying.actions import get_action_data

from tests.audit.images import wrong_images
from tests.audit.roles import Role, roles

ACCEPTED = {
    "CKV_AWS_18": "One bucket by design: access logs would need a second one.",
    "CKV_AWS_27": "The queue is encrypted with the key that SQS manages; checkov accepts KMS only.",
    "CKV_AWS_107": "The log-in to a container registry returns a credential: that is its purpose.",
    "CKV_AWS_111": "Session Manager's channels and a container's metrics have no resource-level permissions.",
    "CKV_AWS_115": "A new account's ten concurrent calls cannot be reserved; the callers are rate-limited instead.",
    "CKV_AWS_116": "CDK writes the function that empties the bucket; it runs only when the bucket is deleted.",
    "CKV_AWS_117": "The functions call AWS alone; in a VPC each service would need a paid endpoint, or a NAT gateway.",
    "CKV_AWS_136": "Images are encrypted with the key that ECR manages, and are not secret.",
    "CKV_AWS_158": "Logs are encrypted with the key that CloudWatch manages; a photo is never logged.",
    "CKV_AWS_173": "The variables contain names only, and are encrypted with the key that Lambda manages.",
    "CKV_AWS_187": "A customer managed key costs a dollar a month and protects no more than SageMaker's.",
}
"""Findings of checkov that are accepted, each with its reason. An entry without a finding is an error."""

UNLIMITED = {
    "ssm:UpdateInstanceInformation": "The host's role is created before the host, so it cannot name the host.",
}
"""Actions that are allowed on every resource although IAM could limit them, each with its reason."""

RISKS = (
    "allows_privilege_escalation",
    "allows_data_exfiltration_actions",
    "permissions_management_without_constraints",
    "service_wildcard",
)
"""Risks that cloudsplaining must not find in a role."""


def main(folders: list[Path]) -> int:
    faults = [*checkov_faults(folders), *wrong_images()]
    for folder in folders:
        for role in roles(folder):
            faults += [f"{folder.name}: {role.name}: {fault}" for fault in role_faults(role)]
    for fault in faults:
        print(f"audit: {fault}", file=sys.stderr)
    if not faults:
        print(f"audit: no finding in {', '.join(folder.name for folder in folders)}; {len(ACCEPTED)} accepted findings")
    return len(faults) > 0


def checkov_faults(folders: list[Path]) -> Iterator[str]:
    """Findings of checkov outside `ACCEPTED`, and stale entries of `ACCEPTED`."""
    found = set()
    for folder in folders:
        for check in _checkov(folder):
            found.add(check["check_id"])
            if check["check_id"] not in ACCEPTED:
                where = f"{folder.name}{check['file_path']} {check['resource']}"
                yield f"{check['check_id']} {check['check_name']}: {where}"
    for stale in sorted(ACCEPTED.keys() - found):
        yield f"{stale} is accepted, but checkov does not report it: remove the entry"


def _checkov(folder: Path) -> list[dict[str, Any]]:
    command = [
        str(Path(sys.executable).parent / "checkov"),
        "--directory",
        str(folder),
        "--framework",
        "cloudformation",
    ]
    quiet = ["--skip-download", "--compact", "--quiet", "--output", "json", "--soft-fail"]
    done = subprocess.run([*command, *quiet], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise RuntimeError(f"checkov could not read {folder}: {done.stderr[-500:]}")
    failed: list[dict[str, Any]] = report["results"]["failed_checks"]
    return failed


def role_faults(role: Role) -> Iterator[str]:
    document = PolicyDocument({"Version": "2012-10-17", "Statement": role.statements})
    for risk in RISKS:
        if found := getattr(document, risk):
            yield f"{risk}: {found}"
    for arn in role.foreign_policies:
        yield f"has the policy {arn}, which no template here writes"
    for statement in role.statements:
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        for action in actions:
            yield from _action_faults(action, resources)
        if "iam:PassRole" in actions:
            yield from _passing_faults(resources, statement.get("Condition", {}))


def _action_faults(action: str, resources: list[str]) -> Iterator[str]:
    service, _, name = action.partition(":")
    if "*" in action:
        yield f"{action} is a wildcard"
        return
    known = get_action_data(service, name)
    if not known:
        yield f"IAM has no action {action}"
    elif (
        "*" in resources
        and action not in UNLIMITED
        and any(form["resource_arn_format"] != "*" for form in known[service])
    ):
        yield f"{action} is allowed on every resource, but IAM can limit it"


def _passing_faults(resources: list[str], condition: Mapping[str, Any]) -> Iterator[str]:
    if len(resources) != 1 or "*" in resources[0]:
        yield f"iam:PassRole is not limited to one role: {resources}"
    services = _listed(condition.get("StringEquals", {}).get("iam:PassedToService", []))
    if len(services) != 1 or "*" in services[0]:
        yield f"iam:PassRole is not limited to one service: {services}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
