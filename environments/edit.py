"""Change one setting in an environment's file; the rest of the text stays as it is, with its comments and line ends."""

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from environments.environment import EnvironmentRefusedError
from environments.files import read_text


def read_setting(file: Path, section: str, name: str) -> object:
    """The value in the table [settings.<section>], or None if the file does not set it.

    Raises EnvironmentRefusedError if settings or the section is no table.
    """
    return _table(file, tomllib.loads(read_text(file)), section).get(name)


def write_setting(file: Path, section: str, name: str, value: str | None) -> None:
    """Set a text setting in the table [settings.<section>]; None removes it, and leaves the comment of its line.

    Raises EnvironmentRefusedError, and writes nothing, if the file has the setting in another form than a line of such
    a table.
    """
    text = file.read_bytes().decode("utf-8")  # with the line ends as they are
    expected = copy.deepcopy(_parsed(text))
    table = _table(file, expected, section)
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
    header = f"[settings.{section}]"
    changed = _edited(text, header, name, value)
    try:
        is_right = _parsed(changed) == expected
    except tomllib.TOMLDecodeError:  # such as a second [settings.workbench], or half of a text over several lines
        is_right = False
    if not is_right:
        raise EnvironmentRefusedError(
            f"environments/{file.name} has {section} or {name} in another form than a line in a table {header}; move "
            "it there, then run this again. Nothing was changed."
        )
    file.write_bytes(changed.encode("utf-8"))


def _edited(text: str, header: str, name: str, value: str | None) -> str:
    """The text with the setting's line changed, removed or added, which is right for the usual form of a file."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    wanted = None if value is None else f"{name} = {json.dumps(value)}"
    start = next((number for number, line in enumerate(lines) if line.partition("#")[0].strip() == header), None)
    if start is None:
        if wanted is None:
            return text
        before = text if not text or text.endswith("\n") else text + end
        return f"{before}{end}{header}{end}{wanted}{end}"
    after = range(start + 1, len(lines))
    stop = next((number for number in after if lines[number].lstrip().startswith("[")), len(lines))
    for number in range(start + 1, stop):
        found = re.fullmatch(
            rf"""(?P<key>\s*{name}\s*=\s*)(?:"[^"]*"|'[^']*')(?P<space>\s*)(?P<rest>#.*)?""", lines[number], re.DOTALL
        )
        if found is None:
            continue
        if value is None:
            lines[number] = found["rest"] or ""
        else:
            lines[number] = f"{found['key']}{json.dumps(value)}{found['space']}{found['rest'] or ''}"
        return "".join(lines)
    if wanted is not None:
        if not lines[start].endswith("\n"):
            lines[start] += end
        lines.insert(start + 1, wanted + end)
    return "".join(lines)


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def _table(file: Path, read: dict[str, Any], section: str) -> dict[str, Any]:
    """The table of a section's settings, made in `read` if it has none."""
    table = read
    for key in ("settings", section):
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise EnvironmentRefusedError(
                f"environments/{file.name}: {key} is {inner!r}, but must be a table, [settings.{section}]."
            )
        table = inner
    return table
