"""Whether a resource belongs to an environment, by its tags alone, and which stack owns it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import environments
from environments import Environment, EnvironmentRefusedError
from ops.sweep.found import Client

BY_AWS_AND_CDK = ("aws:", "aws-cdk:")
"""How the keys begin of tags that AWS and CDK add."""
NAMES = frozenset({"Name"})
"""Keys that CDK gives to the parts of a network."""
OF_STACK = "aws:cloudformation:stack-name"
"""CloudFormation gives this tag to what it creates."""
DELETED_BY = "DELETE_FAILED"
"""The status of a stack whose resources may be deleted one by one: its own deletion does not succeed."""


def tags_of(environment: Environment) -> dict[str, str]:
    """The tags of every resource of an environment (app.py)."""
    return {**environment.tags, "project": environment.project}


def belongs(tags: Mapping[str, str], environment: Environment) -> bool:
    """Whether the environment's tags are among these."""
    return tags_of(environment).items() <= tags.items()


def others(environment: Environment) -> list[Environment]:
    """The environments whose files are here and whose tags include those of this one."""
    return [other for other in _with_files() if tags_of(environment).items() < tags_of(other).items()]


def same_tags(environment: Environment) -> str:
    """The file of another environment with the same tags, which may be in the same account; empty if there is none."""
    for other in _with_files():
        elsewhere = other.account and environment.account and other.account != environment.account
        if other.name != environment.name and tags_of(other) == tags_of(environment) and not elsewhere:
            return other.file
    return ""


def keys_of_buckets() -> dict[str, str]:
    """The file that names a KMS key for its bucket, by the ARN of the key."""
    found = {}
    for each in _with_files():
        storage = each.settings.get("storage")
        if isinstance(storage, dict) and storage.get("kms_key_arn"):  # the settings have not been checked yet
            found[str(storage["kms_key_arn"])] = each.file
    return found


def _with_files() -> list[Environment]:
    """Leaves out an invalid file: what its environment owns has a foreign tag, or a stack."""
    found = []
    for name in environments.names():
        with suppress(EnvironmentRefusedError):
            found.append(environments.load(name))
    return found


def foreign_tag(tags: Mapping[str, str], environment: Environment) -> str:
    """A tag that the environment does not give; empty if there is none.

    The default environment has the tag `project` alone, which every other environment of the project has too, beside
    its own. So a resource with a tag more may be another environment's.
    """
    own = {key.lower() for key in tags_of(environment)} | {name.lower() for name in NAMES}
    for key, value in sorted(tags.items()):
        if key.lower() not in own and not key.startswith(BY_AWS_AND_CDK):
            return f"{key}={value}"
    return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owners:
    """Which stack of a region owns a resource."""

    statuses: Mapping[str, str]
    """Of every stack, by its name."""
    stacks: Mapping[str, str]
    """The stack's name by the physical ids of the resources of the environment's stacks."""

    def owner(self, arn: str, name: str, tags: Mapping[str, str]) -> tuple[str, str] | None:
        """The stack and its status; None if no stack owns the resource.

        CloudFormation's tag names the stack where the physical id is not the name, as for a public address, and where
        the stack's own tags are not the environment's.
        """
        for stack in (self.stacks.get(arn), self.stacks.get(name), tags.get(OF_STACK)):
            if stack and stack in self.statuses:
                return stack, self.statuses[stack]
        return None


def owners(client: Client, environment: Environment) -> Owners:
    """The stacks of a region, and what those of the environment own."""
    statuses: dict[str, str] = {}
    found: dict[str, str] = {}
    cloudformation = client("cloudformation")
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if stack["StackStatus"] == "DELETE_COMPLETE":
                continue
            statuses[stack["StackName"]] = stack["StackStatus"]
            if not belongs({tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}, environment):
                continue
            for resource in _resources(cloudformation, stack["StackName"]):
                if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE":
                    found[resource["PhysicalResourceId"]] = stack["StackName"]
    return Owners(statuses=statuses, stacks=found)


def _resources(cloudformation: Any, stack: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]
