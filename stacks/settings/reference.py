"""docs/settings.md, and the JSON schema of an environment's file, from the declarations."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import date
from typing import Any

from contract.declarations import Declaration, declarations
from environments import Environment, Protection
from environments.environment import LONGEST_PREFIX
from environments.tags import LONGEST_KEY, LONGEST_VALUE, MOST, PROJECT
from stacks.settings import Settings

HEAD = """# Settings

Every setting of the deployment, with its default. `make reference` writes this page from the declarations in
[stacks/settings](../stacks/settings) and [contract/options.py](../contract/options.py).

Set a value for an environment in its file ([environments](environments.md)):

```
[settings.serving.scaling]
max_instances = 5
```

or for one command: `cdk deploy --all -c serving.scaling.max_instances=5`. Unknown names and values outside the column
"allowed" end the synth with one sentence. A few rules concern several settings, such as
`serving.scaling.min_instances`, which is at most `max_instances`; their sentence names both.
"""

_TAG_KEY = (
    rf"^(?!{''.join(f'[{letter.upper()}{letter}]' for letter in PROJECT)}$)(?![Aa][Ww][Ss]:).{{1,{LONGEST_KEY}}}$"
)
"""A pattern for the key of a tag. It does not say which characters AWS accepts: editors differ in letters of other
languages."""

JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", date: "string", tuple: "array"}


def markdown() -> str:
    """The text of docs/settings.md."""
    parts = [HEAD]
    for name, section in _sections(Settings):
        parts.append(f"\n## {name}\n\n| setting | default | allowed | what it is |\n|---|---|---|---|\n")
        for declaration in _values(section):
            cells = (f"`{declaration.name}`", _default(declaration), _allowed(declaration), declaration.doc)
            parts.append(f"| {' | '.join(_escaped(cell) for cell in cells)} |\n")
    return "".join(parts)


def _escaped(cell: str) -> str:
    """Without what Markdown would read as the end of a cell or as a tag."""
    return cell.replace("|", r"\|").replace("<", r"\<")


def schema() -> dict[str, Any]:
    """The JSON schema that editors use for environments/<name>.toml.

    Draft 4: in later drafts 256.0 is an integer, and the app refuses it. A quoted day passes, because editors check a
    day as a text.
    """
    file = {
        declaration.name: _of_value(declaration)
        for declaration in _values(Environment)
        if declaration.type is str and declaration.name != "name"
    }
    described = {name: declaration.doc for name, declaration in declarations(Environment).items()}
    file["protection"] = _of_section(Protection) | {"description": "What keeps the deployment from being deleted."}
    file["project"]["maxLength"] = LONGEST_PREFIX - len("-x")  # the shortest name of an environment
    file["tags"] = {
        "type": "object",
        "patternProperties": {_TAG_KEY: {"type": "string", "maxLength": LONGEST_VALUE}},
        "additionalProperties": False,
        "maxProperties": MOST,
        "description": described["tags"],
    }
    file["settings"] = _of_section(Settings) | {"description": described["settings"]}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "An environment of Kennel",
        "type": "object",
        "properties": file,
        "additionalProperties": False,
    }


def _sections(section: type, prefix: str = "") -> Iterator[tuple[str, type]]:
    """The full name and the class of each section, nested ones after the one that contains them."""
    for declaration in declarations(section).values():
        if is_dataclass(declaration.type):
            yield prefix + declaration.name, declaration.type
            yield from _sections(declaration.type, f"{prefix}{declaration.name}.")


def _values(section: type) -> Iterator[Declaration]:
    """The declarations of a section, without its nested sections."""
    return (declared for declared in declarations(section).values() if not is_dataclass(declared.type))


def _default(declaration: Declaration) -> str:
    value = declaration.default
    if value is None:
        return "by mode"  # of the options that are None by default, the recipe in contract/options.py has it
    if value in ("", ()):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(declaration: Declaration) -> str:
    if declaration.range:
        return str(declaration.range).removeprefix("between ").replace(" and ", " to ")
    if declaration.pattern:
        return str(declaration.pattern)
    if declaration.choices:
        return ", ".join(str(choice) for choice in declaration.choices)
    return {bool: "true, false", date: "a day"}[declaration.type]


def _of_section(section: type) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: _of_section(declaration.type) if is_dataclass(declaration.type) else _of_value(declaration)
            for name, declaration in declarations(section).items()
        },
        "additionalProperties": False,
    }


def _of_value(declaration: Declaration) -> dict[str, Any]:
    found: dict[str, Any] = {"type": JSON_TYPES[declaration.type], "description": declaration.doc}
    text: dict[str, Any] = {}
    if declaration.pattern:
        text["pattern"] = f"^(?:{declaration.pattern.expression})$"
    if declaration.type is tuple:
        found["items"] = {"type": "string", **text}
    else:
        found |= text
    if declaration.type is date:
        found["format"] = "date"
    if declaration.range:
        found |= {"minimum": declaration.range.low, "maximum": declaration.range.high}
    if declaration.choices:
        found["enum"] = list(declaration.choices)
    if declaration.default is not None:
        default = declaration.default
        found["default"] = list(default) if isinstance(default, tuple) else _json(default)
    return found


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
