"""Whether a resource belongs to an environment, by its tags alone, and which stack owns it."""

from collections.abc import Mapping
from typing import Any

import environments
from environments import Environment, EnvironmentRefusedError
from ops.sweep.found import Client

BY_AWS_AND_CDK = ("aws:", "aws-cdk:")
"""How the keys begin of tags that AWS and CDK add."""
NAMES = frozenset({"Name"})
"""Keys that CDK gives to the parts of a network."""
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
    found = []
    for name in environments.names():
        try:
            other = environments.load(name)
        except EnvironmentRefusedError:  # the file is invalid, so it was never deployed
            continue
        if tags_of(environment).items() < tags_of(other).items():
            found.append(other)
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


def owners(client: Client, environment: Environment) -> dict[str, tuple[str, str]]:
    """The stack and its status by the physical ids of the resources of the environment's stacks in a region."""
    found: dict[str, tuple[str, str]] = {}
    cloudformation = client("cloudformation")
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
            if stack["StackStatus"] == "DELETE_COMPLETE" or not belongs(tags, environment):
                continue
            for resource in _resources(cloudformation, stack["StackName"]):
                if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE":
                    found[resource["PhysicalResourceId"]] = stack["StackName"], stack["StackStatus"]
    return found


def _resources(cloudformation: Any, stack: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]
