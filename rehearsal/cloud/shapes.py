"""Requests as a service's model defines them: required members, ranges, lengths, patterns and values.

botocore has the models. A client checks only part of them before it sends a request, and CloudFormation sends what the
template has. Source: https://smithy.io/2.0/spec/constraint-traits.html, and a service's API reference, such as
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session

from rehearsal.cloud.api import AwsError, Json

_NUMBERS: dict[str, tuple[type, ...]] = {
    "double": (int, float),
    "float": (int, float),
    "integer": (int,),
    "long": (int,),
}
_TYPES: dict[str, tuple[type, ...]] = {
    **_NUMBERS,
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "structure": (dict,),
}


def check(service: str, operation: str, parameters: Json) -> None:
    """Raises AwsError, in AWS's words, for a request that AWS refuses by the shapes of its members alone."""
    found = list(_violations(_input(service, operation), parameters, ""))
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise AwsError("ValidationException", f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def typed(service: str, operation: str, properties: Json) -> Json:
    """A template's properties with the types of the operation's input: a template may have "2" or "true".

    Raises AwsError for a property that does not have its type.
    """
    found: Json = _typed(_input(service, operation), properties, "")
    return found


@cache
def _model(service: str) -> Any:
    return botocore.session.Session().get_service_model(service)


def _input(service: str, operation: str) -> Any:
    return _model(service).operation_model(operation).input_shape


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind, limits = shape.type_name, shape.metadata
    if kind in _TYPES and not isinstance(value, _TYPES[kind]):
        raise AwsError("SerializationException", f"{path} is {value!r}, and has to be of the type {kind}.")
    if kind == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _sentence(None, _below(path, name), "Member must not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _violations(member, value[name], _below(path, name))
        return
    if kind in ("list", "map", "string"):
        yield from _bounds(value, len(value), limits, path, "length")
    if kind in _NUMBERS:
        yield from _bounds(value, value, limits, path, "value")
    if kind == "list":
        for number, each in enumerate(value, 1):
            yield from _violations(shape.member, each, f"{path}.{number}.member")
    if kind == "map":
        for name, each in value.items():
            yield from _violations(shape.value, each, f"{path}.{name}.member")
    if kind == "string":
        if limits.get("enum") and value not in limits["enum"]:
            yield _sentence(value, path, f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]")
        if not _matches(limits.get("pattern", ""), value):
            yield _sentence(value, path, f"Member must satisfy regular expression pattern: {limits['pattern']}")


def _bounds(value: Any, size: float, limits: Json, path: str, what: str) -> Iterator[str]:
    if size < limits.get("min", size):
        yield _sentence(value, path, f"Member must have {what} greater than or equal to {limits['min']}")
    if size > limits.get("max", size):
        yield _sentence(value, path, f"Member must have {what} less than or equal to {limits['max']}")


def _matches(pattern: str, value: str) -> bool:
    try:
        return not pattern or re.fullmatch(pattern, value) is not None
    except re.error:  # a pattern of Java's that Python lacks, such as \p{L} of tags
        return True


def _sentence(value: Any, path: str, rule: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {rule}"


def _below(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _typed(shape: Any, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            name: _typed(members[name], each, _below(path, name)) if name in members else each
            for name, each in value.items()
        }
    if kind == "map" and isinstance(value, dict):
        return {name: _typed(shape.value, each, f"{path}.{name}") for name, each in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_typed(shape.member, each, path) for each in value]
    if kind == "boolean" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return {"integer": int, "long": int, "float": float, "double": float}.get(kind, lambda same: same)(value)
    except (TypeError, ValueError) as error:
        raise AwsError("ValidationException", f"{path} is {value!r}, and has to be of the type {kind}.") from error
