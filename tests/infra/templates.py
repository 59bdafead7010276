"""Reads values of a CloudFormation template."""

from typing import Any


def joined(value: Any) -> str:
    """A text with CloudFormation's references in it, each as its name."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(joined(part) for part in value["Fn::Join"][1])
    return "FUNCTION" if "Fn::GetStackOutput" in value else f"<{next(iter(value.values()))}>"
