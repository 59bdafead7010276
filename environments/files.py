"""Read environments/<name>.toml into an `Environment`."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contract.declarations import declarations
from environments.environment import DEFAULT, Environment, EnvironmentRefusedError, Protection
from environments.suggestions import did_you_mean

FOLDER = Path(__file__).resolve().parent

TEXTS = [name for name, declared in declarations(Environment).items() if declared.type is str and name != "name"]
"""Keys with a text: what identifies the deployment."""
TABLES = ("protection", "tags", "settings")
NAME = declarations(Environment)["name"]


def names(folder: Path = FOLDER) -> list[str]:
    """The environments that have a file.

    Ignores folders, hidden files (an editor's lock `.#qa.toml`, macOS's `._qa.toml`) and files whose name cannot be an
    environment's, such as `qa-eu.toml`.
    """
    return sorted(path.stem for path in folder.glob("*.toml") if not NAME.error("", path.stem) and path.is_file())


def read_text(path: Path) -> str:
    """The text of a file, without the byte order mark with which some editors on Windows start it."""
    return path.read_text(encoding="utf-8-sig")


def load(name: str = DEFAULT, folder: Path = FOLDER) -> Environment:
    """Read an environment's file. Does not check the settings in it: stacks/settings does.

    Raises EnvironmentRefusedError, with the file and the key, for an unknown name or key and for a wrong value.
    """
    path = folder / f"{name}.toml"
    known = names(folder)
    if name not in known:
        if path.parent == folder and path.is_file() and (sentence := NAME.error("The environment's name", name)):
            raise EnvironmentRefusedError(f"environments/{name}.toml: {sentence} Rename the file.")
        if path.parent == folder and os.path.lexists(path):
            raise EnvironmentRefusedError(f"environments/{name}.toml is not a regular file. Replace it with one.")
        otherwise = f"The environments are {', '.join(known)}."
        raise EnvironmentRefusedError(
            f"There is no environment {name!r} (environments/{name}.toml). "
            + did_you_mean(name, known, otherwise=otherwise)
        )
    try:
        return _environment(name, tomllib.loads(read_text(path)))
    except OSError as error:
        raise EnvironmentRefusedError(f"environments/{name}.toml cannot be read: {error.strerror}.") from error
    except (EnvironmentRefusedError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EnvironmentRefusedError(f"environments/{name}.toml: {str(error).removesuffix('.')}.") from error


def _environment(name: str, read: Mapping[str, Any]) -> Environment:
    for key, value in read.items():
        if key in TEXTS:
            _require(isinstance(value, str), key, value, "a text in quotes")
        elif key in TABLES:
            _require(isinstance(value, dict), key, value, f"a table, [{key}]")
        else:
            _unknown(key, (*TEXTS, *TABLES))
    protections = [f"protection.{key}" for key in declarations(Protection)]
    for key, value in read.get("protection", {}).items():
        if f"protection.{key}" not in protections:
            _unknown(f"protection.{key}", protections)
        _require(isinstance(value, bool), f"protection.{key}", value, "true or false")
    for key, value in read.get("tags", {}).items():
        _require(isinstance(value, str), f"tags.{key}", value, "a text in quotes")
    return Environment(name=name, **{**read, "protection": Protection(**read.get("protection", {}))})


def _require(condition: bool, key: str, value: object, allowed: str) -> None:
    if not condition:
        raise EnvironmentRefusedError(f"{key} is {value!r}, but must be {allowed}.")


def _unknown(key: str, known: Sequence[str]) -> None:
    otherwise = f"The keys are {', '.join(known)}."
    raise EnvironmentRefusedError(f"There is no key {key!r}. {did_you_mean(key, known, otherwise=otherwise)}")
