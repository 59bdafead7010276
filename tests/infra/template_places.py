"""Where two templates differ, as names that a person can read."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.infra.conftest import Assembly

DERIVED = (
    # digests and copies of all settings of a section: every setting changes them, so they would hide a lost one
    re.compile(r"/Check\.(Settings|InputsDigest)$"),
    re.compile(r"/Model\.Tags\.Value$"),
)
HASH = re.compile(r"[0-9A-F]{8}([0-9a-f]{32})?$")
VERSION = re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}")


def differences(one: Assembly, other: Assembly) -> set[str]:
    """`Stack/Resource.Property` of each property that differs, `Stack/Resource` of each resource that only one has."""
    return {
        place
        for stack in one.names
        for place in _places(stack, one.raw(stack), other.raw(stack))
        if not any(pattern.search(place) for pattern in DERIVED)
    }


def _places(stack: str, one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    resources, others = _by_name(one["Resources"]), _by_name(other["Resources"])
    for name in resources.keys() ^ others.keys():
        yield f"{stack}/{name}"
    for name in resources.keys() & others.keys():
        for path in _paths(resources[name].get("Properties", {}), others[name].get("Properties", {})):
            yield f"{stack}/{name}.{path}"
        if {**resources[name], "Properties": 0} != {**others[name], "Properties": 0}:
            yield f"{stack}/{name} itself"
    for name in {*one.get("Outputs", {}), *other.get("Outputs", {})}:
        if one.get("Outputs", {}).get(name) != other.get("Outputs", {}).get(name):
            yield f"{stack} output {name}"


def _by_name(resources: dict[str, Any]) -> dict[str, Any]:
    """By logical id without CDK's hash; a function's version has a hash of its code and configuration in its own."""
    text = VERSION.sub(r"\1", json.dumps(resources))
    found = {HASH.sub("", logical_id): resource for logical_id, resource in json.loads(text).items()}
    assert len(found) == len(resources)
    return found


def _paths(one: Any, other: Any) -> Iterator[str]:
    """Paths of properties, down to the text or reference that differs. Items of a list share their list's path."""
    if one == other:
        return
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        yield from {path for item, its in zip(one, other, strict=True) for path in _paths(item, its)}
        return
    if isinstance(one, dict) and isinstance(other, dict) and not _is_reference(one) and not _is_reference(other):
        for key in {*one, *other}:
            if one.get(key) != other.get(key):
                # CDK sorts statements by their text, so that a change may reorder them
                whole = key not in one or key not in other or key == "Statement"
                inner = [""] if whole else _paths(one[key], other[key])
                yield from (f"{key}.{path}".rstrip(".") for path in inner)
        return
    yield ""


def _is_reference(value: dict[str, Any]) -> bool:
    return any(key == "Ref" or key.startswith("Fn::") for key in value)
