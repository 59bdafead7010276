"""Values of a template as text for a reader: references as `${LogicalId.Attribute}`."""

import json
from typing import Any


def listed(value: Any) -> list[Any]:
    """IAM accepts one value where it accepts a list."""
    return value if isinstance(value, list) else [value]


def shown(value: Any) -> str:
    """A value as text. A function that has no short form is shown by its name."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, dict):
        return str(value)
    if len(value) != 1:
        return json.dumps(value, sort_keys=True)
    ((function, argument),) = value.items()
    match function, argument:
        case "Ref", str(name):
            return f"${{{name}}}"
        case "Fn::GetAtt", [name, attribute]:
            return f"${{{name}.{attribute}}}"
        case "Fn::GetAtt", str(name):
            return f"${{{name}}}"
        case "Fn::Join", [separator, list(parts)]:
            return str(separator).join(map(shown, parts))
        case "Fn::Sub", str(text):
            return text
        case "Fn::Sub", [str(text), _]:
            return text
        case "Fn::GetStackOutput", {"StackName": stack, "OutputName": name}:
            return f"${{{shown(stack)}.{name}}}"
        case "Fn::ImportValue", name:
            return f"${{{shown(name)}}}"
        case "Fn::FindInMap", [name, *_]:
            return f"${{{shown(name)}}}"
        case "Fn::Select", [index, source]:
            return f"${{{shown(index)} of {shown(source)}}}"
        case "Fn::Split", [_, source]:
            return shown(source)
    return f"${{{function}}}"
