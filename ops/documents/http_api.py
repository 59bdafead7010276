"""The page of the HTTP API, from docs/openapi.json."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

HEAD = """# HTTP API

{description}

This page is written from [openapi.json](openapi.json) when the site is built. Tools that make clients and tests read
that file. [Requests and responses](requests.md) has the same requests without HTTP, and the limits of a photo.
"""

CODE_OR_BAR = re.compile(r"`[^`]*`|\|")
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "pattern": "matches `{}`",
    "const": "`{}`",
    "contentEncoding": "{}",
    "format": "{}",
}
"""What a column says about each keyword of JSON Schema that the document uses for a limit."""


def markdown(document: dict[str, Any]) -> str:
    """The page. document: an OpenAPI 3.1 document whose references are to its own schemas."""
    parts = [HEAD.format(description=document["info"]["description"]), *_address(document)]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(f"{method.upper()} {path}", operation, document)
    return "".join(parts)


def _address(document: dict[str, Any]) -> Iterator[str]:
    yield "\n## Address and signature\n"
    for server in document["servers"]:
        yield f"\n`{server['url']}`: {server['description']}\n"
    for scheme in document["components"]["securitySchemes"].values():
        yield f"\nHeader `{scheme['name']}`: {scheme['description']}\n"


def _operation(route: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {route}\n\n{operation['summary']}.\n"
    if {} not in operation["security"] and operation["security"]:
        yield "\nThe request must be signed.\n"
    if parameters := operation.get("parameters"):
        yield "\n| parameter | in | value | what it is |\n|---|---|---|---|\n"
        for each in parameters:
            yield _row(f"`{each['name']}`", each["in"], _value(each["schema"], document), each["description"])
    if body := operation.get("requestBody"):
        yield f"\n### Body of {route}\n\n{body['description']}\n\n"
        for kind, content in body["content"].items():
            yield f"- `{kind}`{': the bytes of the photo' if not content['schema'] else ''}\n"
        for content in body["content"].values():
            yield from _described(content["schema"], document)
    for status, response in operation["responses"].items():
        yield from _response(f"{route}: {status} {HTTPStatus(int(status)).phrase}", response, document)


def _response(title: str, response: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f"\n### {title}\n"
    content = response["content"]
    examples = {name: each for body in content.values() for name, each in body.get("examples", {}).items()}
    errors = {name: each for name, each in examples.items() if "summary" in each}
    if not errors:
        yield f"\n{response['description']}\n\nContent type: {', '.join(f'`{kind}`' for kind in content)}\n"
        for body in content.values():
            yield from _described(body["schema"], document)
    else:
        yield "\n| `error.code` | what is wrong | what to do |\n|---|---|---|\n"
        for name, each in errors.items():
            code = "none: from API Gateway" if name == "gateway" else f"`{name}`"
            yield _row(code, each["summary"], each["description"])
    for name, header in response.get("headers", {}).items():
        described = " ".join(filter(None, [_value(header["schema"], document) + ".", header.get("description")]))
        yield f"\nHeader `{name}`: {described}\n"
    shown = [name for name in examples if name != "gateway"][:1] + [name for name in examples if name == "gateway"]
    for name in shown:  # the other errors of the function have the same members
        yield _block(examples[name]["value"])


def _described(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    """The members of an object in a table, those of its members included, and its examples."""
    found = _resolved(schema, document)
    if "object" not in _types(found):
        return
    if "description" in found:
        yield f"\n{found['description']}\n"
    yield "\n| member | value | what it is |\n|---|---|---|\n"
    for name, member in _members(found, document):
        yield _row(f"`{name}`", _value(member, document), member.get("description", ""))
    for example in found.get("examples", []):
        yield _block(example)


def _members(schema: dict[str, Any], document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, given in schema.get("properties", {}).items():
        member = _resolved(given, document)
        yield prefix + name, member
        if "object" in _types(member):
            yield from _members(member, document, f"{prefix}{name}.")
        elif "array" in _types(member):
            yield from _members(_resolved(member["items"], document), document, f"{prefix}{name}[].")


def _value(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """A schema's type and limits, such as `integer, at least 1, at most 1000`."""
    found = _resolved(schema, document)
    if "anyOf" in found:
        return "; or ".join(_value(each, document) for each in found["anyOf"])
    return ", ".join([" or ".join(_types(found)), *(_limit(word, found[word]) for word in LIMITS if word in found)])


def _types(schema: dict[str, Any]) -> list[str]:
    found = schema.get("type", "text")
    return found if isinstance(found, list) else [found]


def _limit(keyword: str, value: object) -> str:
    return (
        "not empty" if keyword in ("minLength", "minItems") and value == 1 else LIMITS[keyword].format(_number(value))
    )


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = document
    for name in schema["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _row(*cells: str) -> str:
    """A row of a table. Python-Markdown wants a bar to be escaped in text and not in code."""
    escaped = (CODE_OR_BAR.sub(lambda found: found[0] if found[0] != "|" else r"\|", cell) for cell in cells)
    return f"| {' | '.join(' '.join(cell.split()) for cell in escaped)} |\n"


def _block(value: object) -> str:
    return f"\n```json\n{json.dumps(value, indent=2)}\n```\n"
