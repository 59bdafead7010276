"""Reads the serving stack's template."""

from typing import Any

from tests.infra.conftest import Assembly

ENDPOINT = "pytorch-dog-classifier-multi-instance"


def serving_resource(assembly: Assembly, type: str, name: str) -> tuple[str, dict[str, Any]]:
    """Logical id and resource: the serving stack's only one of this type whose logical id starts with `name`."""
    (found,) = [
        (logical_id, resource)
        for stack, logical_id, resource in assembly.resources(type)
        if stack == "Serving" and logical_id.startswith(name)
    ]
    return found


def endpoint_rights(assembly: Assembly, role: str) -> dict[str, list[str]]:
    """The SageMaker actions that a role's own policy allows, by the last part of the resource's ARN."""
    _, policy = serving_resource(assembly, "AWS::IAM::Policy", role)
    found: dict[str, list[str]] = {}
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if any(action.startswith("sagemaker:") for action in actions):
            found[statement["Resource"]["Fn::Join"][1][-1]] = actions
    return found
