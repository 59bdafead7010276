"""Reads values of a CloudFormation template."""

from typing import Any


def joined(value: Any) -> str:
    """The text of a Fn::Join, with each reference replaced by its name."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(joined(part) for part in value["Fn::Join"][1])
    return "FUNCTION" if "Fn::GetStackOutput" in value else f"<{next(iter(value.values()))}>"
