"""Which resources of the deployed templates are only records in the local AWS."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from environments import Environment
from environments.environment import STACKS
from rehearsal.cloud.records import ATTRIBUTES


def declared(client: Callable[[str], Any], environment: Environment) -> dict[str, list[str]]:
    """Those resources, STACK/LOGICAL ID, by their type."""
    found: dict[str, list[str]] = defaultdict(list)
    for stack, resource in resources(client, environment):
        if resource["ResourceType"] in ATTRIBUTES:
            found[resource["ResourceType"]].append(f"{stack}/{resource['LogicalResourceId']}")
    return dict(sorted(found.items()))


def resources(client: Callable[[str], Any], environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each resource of the environment's stacks, with the stack's name."""
    for kind in STACKS:
        stack = environment.stack(kind)
        for page in client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                yield stack, resource


def print_declared(client: Callable[[str], Any], environment: Environment, console: Console) -> None:
    """A line for each type."""
    console.print("\nDeclared, not rehearsed: they are in the templates, and only records here (docs/rehearsal.md)")
    for kind, names in declared(client, environment).items():
        console.print(f"  {kind:<48} {escape(', '.join(names))}")
