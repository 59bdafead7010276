"""The resources of the deployed stacks, and which of them are only declared: nothing acts on them here."""

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from contract.text import printable
from environments import Environment
from environments.environment import STACKS
from rehearsal.cloud.declared import declared


def resources(client: Callable[[str], Any], environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each resource of the environment's stacks, with the stack's name."""
    for stack in map(environment.stack, STACKS):
        for page in client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                yield stack, resource


def print_declared(client: Callable[[str], Any], environment: Environment, console: Console) -> None:
    """A line for each type, or property of a type, on which nothing acts."""
    console.print("\nDeclared, not rehearsed (docs/rehearsal.md):")
    for each in declared(client("cloudformation"), map(environment.stack, STACKS)):
        many = f"{len(each.resources)} x " if len(each.resources) > 1 else ""
        console.print(f"  {many}{escape(printable(each.type))}: {escape(printable(each.reason))}", soft_wrap=True)
