"""The stacks of the deployment that exist already: their states, and whether they are this project's."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, warning
from ops.preflight.target import Target

SUBJECT = "stacks"


def checks(target: Target) -> Iterator[Check]:
    for kind in sorted(target.stacks):
        yield Check(
            subject=SUBJECT,
            title=f"the stack {target.environment.stack(kind)}",
            needs="cloudformation:DescribeStacks",
            find=partial(state, kind),
        )


def described(target: Target, kind: str) -> Mapping[str, Any] | None:
    """A stack as CloudFormation describes it; None if there is none."""
    name = target.environment.stack(kind)
    try:
        found: Mapping[str, Any] = target.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as refusal:
        if "does not exist" in refusal.response["Error"].get("Message", ""):
            return None
        raise
    return found


def state(kind: str, target: Target) -> Iterator[Finding]:
    """A stack that CloudFormation or CDK would not update."""
    found = described(target, kind)
    if found is None:
        return
    name, status = found["StackName"], found["StackStatus"]
    if status == "REVIEW_IN_PROGRESS":  # a first change set that was never executed: no resources, and no tags yet
        return
    project = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}.get("project")
    if project is None:
        yield warning(
            SUBJECT,
            f"The stack {name} exists without the tag `project`, so it may be another project's, and the deploy would "
            "replace what is in it.",
            f"aws cloudformation describe-stacks --stack-name {name} --region {target.region}",
            f"If it is yours, deploy: that adds the tag. If not, edit `project` in {target.environment.file}.",
        )
    elif project != target.environment.project:
        yield error(
            SUBJECT,
            f"The stack {name} exists, but does not belong to the project {target.environment.project!r}: its tag "
            f"`project` is {project!r}, and the deploy would replace what is in it.",
            f"Choose another project or environment: edit `project` in {target.environment.file}.",
        )
        return
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
        yield from _failed_creation(found, target)
    elif status in ("CREATE_FAILED", "UPDATE_FAILED"):
        yield warning(
            SUBJECT,
            f"The stack {name} is in the state {status}, in which --no-rollback leaves a stack; the deploy first rolls "
            "it back.",
            f"make cdk{target.env_option} ARGS='rollback {kind.title()}' does the same now.",
        )
    elif status == "UPDATE_ROLLBACK_FAILED":
        yield error(
            SUBJECT,
            f"The stack {name} is in the state {status}, in which CloudFormation refuses an update.",
            f"make cdk{target.env_option} ARGS='rollback {kind.title()}'",
            "docs/runbook.md has the rest, under UPDATE_ROLLBACK_FAILED.",
        )
    elif status.endswith("_FAILED"):
        yield error(
            SUBJECT,
            f"The stack {name} is in the state {status}, in which CloudFormation refuses an update.",
            f"aws cloudformation delete-stack --stack-name {name} --region {target.region}",
        )
    elif status.endswith("_IN_PROGRESS"):
        yield warning(
            SUBJECT,
            f"The stack {name} is in the state {status}: another deploy or destroy is running, and this one waits "
            "until it has ended.",
            f"`kennel{target.kennel_option} logs deploy -f` follows it.",
        )


def _failed_creation(found: Mapping[str, Any], target: Target) -> Iterator[Finding]:
    """A stack whose first creation failed. CDK deletes it and makes it again, unless it is protected."""
    name, status = found["StackName"], found["StackStatus"]
    if found.get("EnableTerminationProtection"):
        yield error(
            SUBJECT,
            f"The stack {name} is in the state {status}: its creation failed, and its termination protection stops CDK "
            "from deleting it.",
            f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}",
        )
    else:
        yield warning(
            SUBJECT,
            f"The stack {name} is in the state {status}: its creation failed. CDK deletes it and creates it again, "
            "which fails in the same way if the cause is still there.",
            f"`kennel{target.kennel_option} why` shows the cause.",
        )
