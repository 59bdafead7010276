"""What the settings name in the account: subnets, security groups, a VPC, and the bucket's key."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.key_policy import decrypters
from ops.preflight.target import Target

SUBJECT = "network and key"


def checks(target: Target) -> Iterator[Check]:
    for name, ids in filter(lambda setting: setting[1], _subnets(target)):
        yield _check(
            name, "subnet", "ec2:DescribeSubnets", partial(_missing, name, ids, "describe_subnets", "SubnetIds")
        )
    for name, ids in filter(lambda setting: setting[1], _security_groups(target)):
        yield _check(
            name,
            "security group",
            "ec2:DescribeSecurityGroups",
            partial(_missing, name, ids, "describe_security_groups", "GroupIds"),
        )
    if (target.has_host or target.has_notebook) and (vpc := target.settings.workbench.vpc):
        name = "workbench.vpc"
        yield _check(name, "VPC", "ec2:DescribeVpcs", partial(_missing, name, (vpc,), "describe_vpcs", "VpcIds"))
    if "storage" in target.stacks and target.settings.storage.kms_key_arn:
        yield Check(
            subject=SUBJECT,
            title="the key of storage.kms_key_arn",
            needs="kms:DescribeKey and kms:GetKeyPolicy",
            find=bucket_key,
        )


def _check(name: str, what: str, needs: str, find: Callable[[Target], Iterator[Finding]]) -> Check:
    return Check(subject=SUBJECT, title=f"each {what} of {name}", needs=needs, find=find)


def _subnets(target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Settings with subnets, and the subnets."""
    if target.trains:
        yield "training.subnets", target.settings.training.subnets
    if "serving" in target.stacks:
        yield "serving.subnets", target.settings.serving.subnets
    if target.has_host or target.has_notebook:
        subnet = target.settings.workbench.subnet
        yield "workbench.subnet", (subnet,) if subnet else ()


def _security_groups(target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    if target.trains:
        yield "training.security_groups", target.settings.training.security_groups
    if "serving" in target.stacks:
        yield "serving.security_groups", target.settings.serving.security_groups
    if target.has_host or target.has_notebook:
        yield "workbench.security_groups", target.settings.workbench.security_groups


def _missing(name: str, ids: tuple[str, ...], operation: str, parameter: str, target: Target) -> Iterator[Finding]:
    """Ids that the account does not have in the region."""
    call: Any = getattr(target.client("ec2"), operation)
    for one in ids:
        try:
            call(**{parameter: [one]})
        except ClientError as refusal:
            code = refusal.response["Error"]["Code"]
            if not code.endswith((".NotFound", ".Malformed")):
                raise
            yield error(
                SUBJECT,
                f"{name} has {one}, which the account {target.account} does not have in {target.region}.",
                f"Correct {name} in {target.environment.file}.",
            )


def bucket_key(target: Target) -> Iterator[Finding]:
    """A key that does not exist, or that the bucket or the roles cannot use."""
    arn = target.settings.storage.kms_key_arn
    region = arn.split(":")[3]
    if region != target.region:
        yield error(
            SUBJECT,
            f"storage.kms_key_arn is {arn}, in {region}; S3 uses only keys of the bucket's region, {target.region}.",
            f"Name a key of {target.region}.",
        )
        return
    kms = target.client("kms")
    try:
        state = kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "NotFoundException":
            raise
        yield error(
            SUBJECT, f"There is no key {arn} (storage.kms_key_arn).", "Name another one, or leave the setting out."
        )
        return
    if state != "Enabled":
        yield error(
            SUBJECT,
            f"The key {arn} (storage.kms_key_arn) is in the state {state}, so S3 cannot use it.",
            f"aws kms enable-key --key-id {arn} --region {target.region}",
            "If its deletion is pending, run `aws kms cancel-key-deletion` first.",
        )
    elif arn.split(":")[4] == target.account and not any(
        _includes_the_roles(principal, target) for principal in decrypters(kms, arn)
    ):
        yield error(
            SUBJECT,
            f"The policy of the key {arn} (storage.kms_key_arn) neither lets IAM decide nor names roles of "
            f"{target.environment.prefix}, so the job, the endpoint and the workbench could not read the bucket.",
            'Add the statement of docs/environments.md, "The key", to it (aws kms put-key-policy).',
        )


def _includes_the_roles(principal: str, target: Target) -> bool:
    """Whether a principal of a key's policy is the whole account, everybody, or a role of the deploy."""
    account = f"arn:{target.partition}:iam::{target.account}"
    roles = f"{account}:role/{target.environment.prefix}-"
    return principal in ("*", target.account, f"{account}:root") or principal.startswith(roles)
