"""Change one setting in an environment's file; the rest of the text, comments included, stays as it is."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from environments.environment import EnvironmentRefusedError


def read_setting(file: Path, section: str, name: str) -> object:
    """The value in the table [settings.<section>], or None if the file does not set it."""
    return _value(file.read_text(encoding="utf-8"), section, name)


def write_setting(file: Path, section: str, name: str, value: str | None) -> None:
    """Set a text setting in the table [settings.<section>]; None removes it.

    Raises EnvironmentRefusedError, and writes nothing, if the file has the setting in another form than such a table.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    header = f"[settings.{section}]"
    starts = [number for number, line in enumerate(lines) if line.partition("#")[0].strip() == header]
    if value is not None and not starts:
        lines += ["", header]
        starts = [len(lines) - 1]
    if starts:
        start = starts[0] + 1
        end = next((number for number in range(start, len(lines)) if lines[number].startswith("[")), len(lines))
        kept = [line for line in lines[start:end] if not re.match(rf"\s*{name}\s*=", line)]
        lines[start:end] = [*([f"{name} = {json.dumps(value)}"] if value is not None else []), *kept]
    text = "\n".join(lines) + "\n"
    if _value(text, section, name) != value:
        raise EnvironmentRefusedError(
            f"environments/{file.name} does not set {name} in a table {header}; move it there, then run this again."
        )
    file.write_text(text, encoding="utf-8")


def _value(text: str, section: str, name: str) -> object:
    read: dict[str, Any] = tomllib.loads(text)
    return read.get("settings", {}).get(section, {}).get(name)
