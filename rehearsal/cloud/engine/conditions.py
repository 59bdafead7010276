"""Conditions of a template that join strings: the engine compares what is joined without joining it.

`cdk bootstrap` has such a one. It decides whether CloudFormation's execution role gets AdministratorAccess.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks


def join_in_conditions() -> None:
    """Let the engine evaluate `Fn::Join` in conditions."""
    evaluate = engine._evaluate_conditions

    def joined(template: dict[str, Any], params: Mapping[str, Mapping[str, Any]]) -> Any:
        values = {name: parameter["Value"] for name, parameter in params.items()}
        return evaluate({**template, "Conditions": with_joins(template.get("Conditions", {}), values)}, params)

    engine._evaluate_conditions = joined
    changesets._evaluate_conditions = joined
    handlers._evaluate_conditions = joined
    stacks._evaluate_conditions = joined


def with_joins(value: Any, parameters: Mapping[str, Any]) -> Any:
    """The same with a string for each `Fn::Join`. parameters: the values; that of a list has commas."""
    if isinstance(value, list):
        return [with_joins(each, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" not in value:
        return {key: with_joins(each, parameters) for key, each in value.items()}
    delimiter, parts = value["Fn::Join"]
    found = _value(with_joins(parts, parameters), parameters)
    items = [each.strip() for each in found.split(",")] if isinstance(found, str) else found
    return delimiter.join(str(_value(each, parameters)) for each in items)


def _value(part: Any, parameters: Mapping[str, Any]) -> Any:
    return parameters.get(part["Ref"], part["Ref"]) if isinstance(part, dict) and "Ref" in part else part
