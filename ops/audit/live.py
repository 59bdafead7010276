"""The roles of an account: those of the deployed stacks, their drift, and when they and the access keys were used.

It calls CloudFormation and IAM, and changes nothing. IAM prepares the report on the services of a role when it is asked
to (GenerateServiceLastAccessedDetails), which writes nothing that is billed.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from environments import Environment
from environments.environment import ON_REQUEST, STACKS
from ops.audit import drift, rights
from ops.audit.finding import Finding, Report, Use
from ops.audit.roles import Json, Role, roles

Client = Callable[[str], Any]
"""From the name of a service to its boto3 client, which is made once."""
THREADS = 8
"""Roles at a time. IAM throttles an account that reads more at once."""
PATIENCE_S = 60
"""For IAM's report on one role, which takes seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stack:
    """A deployed stack."""

    kind: str
    template: Json
    references: drift.References


def audit(
    client: Client, environment: Environment, *, account: str, region: str, unused_days: int, now: datetime
) -> Report:
    """Read the deployed roles and compare them with the templates that deployed them.

    A call that AWS refuses becomes a finding `unknown`. Raises botocore's exceptions if the stacks cannot be read.
    """
    stacks = {each.kind: each for each in _stacks(client, environment, account, region)}
    found = list(roles({kind: each.template for kind, each in stacks.items()}))
    since = now - timedelta(days=unused_days)
    findings = [finding for role in found for finding in rights.findings(role)]
    uses: dict[str, Use] = {}
    client("iam")  # made in this thread: botocore makes one client at a time
    with ThreadPoolExecutor(THREADS) as pool:
        looks = [pool.submit(_look, client, role, stacks[role.stack].references, since) for role in found]
        for role, look in zip(found, looks, strict=True):
            use, more = look.result()
            findings += more
            if use:
                uses[role.where] = use
    return Report(
        environment=environment.name,
        source=f"account {account}, {region}",
        roles=found,
        findings=[*findings, *_keys(client, since, now)],
        uses=uses,
    )


# -- the deployed templates


def _stacks(client: Client, environment: Environment, account: str, region: str) -> Iterator[_Stack]:
    described: dict[str, Json] = {}
    for kind in (*STACKS, *ON_REQUEST):
        stack = _described(client, environment.stack(kind))
        if stack:
            described[kind] = stack
    outputs = {
        (stack["StackName"], output["OutputKey"]): output["OutputValue"]
        for stack in described.values()
        for output in stack.get("Outputs", [])
    }
    for kind, stack in described.items():
        name = stack["StackName"]
        body = client("cloudformation").get_template(StackName=name)["TemplateBody"]
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
        yield _Stack(
            kind=kind.capitalize(),
            template=json.loads(body) if isinstance(body, str) else body,
            references=drift.References(
                pseudo={
                    "AWS::AccountId": account,
                    "AWS::Partition": stack["StackId"].split(":")[1],
                    "AWS::Region": region,
                    "AWS::StackId": stack["StackId"],
                    "AWS::StackName": name,
                    **{each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
                },
                physical={
                    each["LogicalResourceId"]: each["PhysicalResourceId"]
                    for page in pages
                    for each in page["StackResourceSummaries"]
                    if each.get("PhysicalResourceId")
                },
                outputs=outputs,
            ),
        )


def _described(client: Client, name: str) -> Json | None:
    try:
        (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # AWS's answer for a stack that does not exist
            return None
        raise
    found: Json = stack
    return None if stack["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else found


# -- one role


def _look(
    client: Client, role: Role, references: drift.References, since: datetime
) -> tuple[Use | None, list[Finding]]:
    name = references.physical.get(role.id)
    if not name:
        return None, []
    try:
        live = client("iam").get_role(RoleName=name)["Role"]
        compared = drift.findings(role, _deployed(client, name, live["AssumeRolePolicyDocument"]), references)
        findings = list(compared)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return None, [_gone(role, name)]
        return None, [_unknown(role.where, error)]
    except BotoCoreError as error:
        return None, [_unknown(role.where, error)]
    last = live.get("RoleLastUsed", {}).get("LastUsedDate")
    try:
        services = _services(client, live["Arn"])
    except (ClientError, BotoCoreError, TimeoutError) as error:
        services = {}
        findings.append(_unknown(role.where, error))
    use = Use(name=name, created=live["CreateDate"], last=last, services=services)
    return use, [*findings, *unused(role.where, use, since)]


def _gone(role: Role, name: str) -> Finding:
    return Finding(
        severity="medium",
        subject="drift",
        where=role.where,
        summary=f"The role {name} does not exist, although its stack does.",
        remedy="Deploy the stack again with another logical id for the role, or delete and deploy the stack.",
    )


def _unknown(where: str, error: Exception) -> Finding:
    return Finding(
        severity="unknown",
        subject="drift",
        where=where,
        summary=f"AWS did not answer: {error}",
        remedy="Use credentials with the rights that docs/audit.md lists.",
    )


def _deployed(client: Client, name: str, trust: Json) -> drift.Deployed:
    iam = client("iam")
    inline = {
        each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=name)
        for each in page["PolicyNames"]
    }
    attached: dict[str, Json | None] = {}
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for each in page["AttachedPolicies"]:
            arn = each["PolicyArn"]
            attached[arn] = None if ":iam::aws:" in arn else _policy(iam, arn)
    return drift.Deployed(trust=trust, inline=inline, attached=attached)


def _policy(iam: Any, arn: str) -> Json:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found: Json = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return found


def _services(client: Client, arn: str) -> dict[str, datetime | None]:
    """The services that a role may call, with the last call to each. Raises TimeoutError if IAM prepares no report."""
    iam = client("iam")
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    until, wait_s = time.monotonic() + PATIENCE_S, 0.2
    while (page := iam.get_service_last_accessed_details(JobId=job))["JobStatus"] == "IN_PROGRESS":
        if time.monotonic() > until:
            raise TimeoutError(f"IAM had no report on {arn} after {PATIENCE_S} s.")
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, 5)
    if page["JobStatus"] == "FAILED":
        raise TimeoutError(f"IAM made no report on {arn}: {page.get('Error', {}).get('Message', 'no reason')}.")
    found = list(page["ServicesLastAccessed"])
    while page.get("IsTruncated"):
        page = iam.get_service_last_accessed_details(JobId=job, Marker=page["Marker"])
        found += page["ServicesLastAccessed"]
    return {each["ServiceNamespace"]: each.get("LastAuthenticated") for each in found}


def unused(where: str, use: Use, since: datetime) -> Iterator[Finding]:
    """A finding for a role that nothing has used since then, or a note with the services that it has not called."""
    if use.created > since:
        return
    if use.last is None or use.last < since:
        when = "never" if use.last is None else f"last on {use.last:%Y-%m-%d}"
        yield Finding(
            severity="low",
            subject="unused",
            where=where,
            summary=f"The role {use.name} was used {when}, and exists since {use.created:%Y-%m-%d}.",
            remedy="Remove it with the part of the app that it belongs to, if that part is not needed.",
        )
        return
    idle = sorted(name for name, last in use.services.items() if last is None or last < since)
    if idle:
        yield Finding(
            severity="note",
            subject="unused",
            where=where,
            summary=f"The role has not called {', '.join(idle)} since {since:%Y-%m-%d}.",
        )


# -- access keys


def _keys(client: Client, since: datetime, now: datetime) -> Iterator[Finding]:
    """The account's access keys. No role has one, but somebody may deploy or call this app with one."""
    try:
        yield from _all_keys(client("iam"), since, now)
    except (ClientError, BotoCoreError) as error:
        yield _unknown("account", error)


def _all_keys(iam: Any, since: datetime, now: datetime) -> Iterator[Finding]:
    if iam.get_account_summary()["SummaryMap"].get("AccountAccessKeysPresent"):
        yield Finding(
            severity="high",
            subject="key",
            where="account",
            summary="The root user of the account has an access key.",
            remedy="Delete it in the console, signed in as the root user: https://docs.aws.amazon.com/IAM/latest/"
            "UserGuide/id_root-user_manage_delete-key.html",
        )
    for users in iam.get_paginator("list_users").paginate():
        for user in users["Users"]:
            for keys in iam.get_paginator("list_access_keys").paginate(UserName=user["UserName"]):
                for key in keys["AccessKeyMetadata"]:
                    yield from _key(iam, user["UserName"], key, since, now)


def _key(iam: Any, user: str, key: Mapping[str, Any], since: datetime, now: datetime) -> Iterator[Finding]:
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    last, age = used.get("LastUsedDate"), (now - _utc(key["CreateDate"])).days
    if key["Status"] != "Active" or _utc(key["CreateDate"]) > since:
        return
    remedy = f"aws iam update-access-key --user-name {user} --access-key-id {key['AccessKeyId']} --status Inactive"
    if last is None or _utc(last) < since:
        when = "was never used" if last is None else f"was last used on {last:%Y-%m-%d}"
        yield Finding(
            severity="medium",
            subject="key",
            where=f"user {user}",
            summary=f"The access key {key['AccessKeyId']} is active, {age} days old, and {when}.",
            remedy=f"Turn it off, and delete it once nothing has missed it: {remedy}",
        )
    else:
        yield Finding(
            severity="low",
            subject="key",
            where=f"user {user}",
            summary=f"The access key {key['AccessKeyId']} is {age} days old. Its last call, on {last:%Y-%m-%d}, was to "
            f"{used['ServiceName']}.",
            remedy="Replace it by temporary credentials (IAM Identity Center), or by a new key.",
        )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
