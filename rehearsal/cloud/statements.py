"""Which statements of the deployed roles the recorded calls need.

python -m rehearsal.cloud.statements FOLDER     # of a running local AWS, whose variables are in the environment

A statement is needed if the engine would have decided a call otherwise without it. A statement that no call needs
grants what nothing uses, or the rehearsal does not do what AWS does with it.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session

from rehearsal.cloud.calls import Call, read_calls
from rehearsal.cloud.statement import Statement

BOOTSTRAP = "CDKToolkit"
"""The stack of `cdk bootstrap`. Its roles are CDK's own."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a stack. path: stack and logical id, without the hash that CDK appends: "Api/FunctionRole"."""

    path: str
    name: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What the calls need of a statement. by: their actions. idle: the statement's actions that no call needs."""

    role: str
    statement: Statement
    by: tuple[str, ...]
    idle: tuple[str, ...]


def uses(roles: Iterable[Role], calls: Iterable[Call]) -> list[Use]:
    """One entry for each statement of each role."""
    by: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        for digest in call.needs:
            by[call.role, digest].add(call.action)
    found = []
    for role in roles:
        for statement in role.statements:
            actions = by[role.name, statement.digest]
            used = {pattern for action in actions for pattern in statement.matching(action)}
            idle = tuple(each for each in statement.actions if each not in used)
            found.append(Use(role.path, statement, tuple(sorted(actions)), idle))
    return found


def deployed_roles(iam: Any, cloudformation: Any) -> Iterator[Role]:
    """The roles of all stacks but the bootstrap, with what their policies say. Clients of the local AWS."""
    for stack in cloudformation.get_paginator("describe_stacks").paginate().search("Stacks[].StackName"):
        if stack == BOOTSTRAP:
            continue
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for resource in pages.search("StackResourceSummaries[?ResourceType=='AWS::IAM::Role']"):
            name = resource["PhysicalResourceId"]
            path = f"{stack}/{re.sub(r'[0-9A-F]{8}$', '', resource['LogicalResourceId'])}"
            statements = [each for document in _documents(iam, name) for each in Statement.all_of(document)]
            yield Role(path, name, tuple(statements))


def _documents(iam: Any, role: str) -> Iterator[Any]:
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud.statements", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the local AWS")
    folder = parser.parse_args().folder
    session = botocore.session.Session()
    roles = deployed_roles(session.create_client("iam"), session.create_client("cloudformation"))
    found = uses(list(roles), read_calls(folder))
    for use in sorted(found, key=lambda use: (bool(use.by), use.role)):
        state = "needed by " + ", ".join(use.by) if use.by else "not exercised"
        idle = f" (no call needs {', '.join(use.idle)})" if use.by and use.idle else ""
        print(f"{use.role}: {use.statement.name}: {state}{idle}")
    print(f"{sum(bool(use.by) for use in found)} of {len(found)} statements are needed")


if __name__ == "__main__":
    main()
