"""From an environment's file and `-c <section>.<field>=<value>` to `Settings`: nothing else parses a setting."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

from contract.declarations import Declaration, declarations
from environments import FOLDER, Environment
from environments.endpoints import owner_of_endpoint
from environments.suggestions import did_you_mean
from stacks.settings import Settings, SettingsError
from stacks.settings.context import overrides

WANTED: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    date: "a day such as 2027-08-21",
    str: "a text in quotes",
    tuple: "a list of texts in quotes",
}


def load(environment: Environment, context: Mapping[str, object], folder: Path = FOLDER) -> Settings:
    """The defaults, then the environment's file, then the overrides in a CDK context, then the rules of `Settings`.

    folder: the files of all environments, whose endpoints must have other names.
    Raises SettingsError with one sentence for an unknown name, a value of the wrong type, or an impossible value.
    """
    known = dict(declared())
    in_file = {name: _typed(environment, name, value, known[name]) for name, value in _flat(environment, known)}
    given = {name: _parsed(name, value, known[name]) for name, value in overrides(context, known, environment)}
    endpoint = {"serving.endpoint_name": environment.endpoint_name}
    try:
        settings: Settings = _build(Settings, endpoint | in_file | given, "")
    except SettingsError as refusal:
        name = str(refusal).partition(" ")[0]
        if name in in_file and name not in given:
            raise SettingsError(f"{environment.file}: {refusal}") from refusal
        raise
    _check_endpoint(environment, settings.serving.endpoint_name, folder)
    return settings


def _check_endpoint(environment: Environment, name: str, folder: Path) -> None:
    """Refuse the name that the endpoint of another environment has; every other name is derived."""
    other = owner_of_endpoint(environment, name, folder)
    if other:
        raise SettingsError(
            f"serving.endpoint_name is {name!r}, but that is the endpoint of the environment {other!r}; leave the "
            f"setting out, and it is {environment.endpoint_name!r}. If the two are in different accounts or regions, "
            "set account or region in both files."
        )


def declared(section: type = Settings, prefix: str = "") -> Iterator[tuple[str, Declaration]]:
    """Each setting's full name and its declaration."""
    for name, declaration in declarations(section).items():
        if is_dataclass(declaration.type):
            yield from declared(declaration.type, f"{prefix}{name}.")
        else:
            yield prefix + name, declaration


def _flat(environment: Environment, known: Mapping[str, Declaration]) -> Iterator[tuple[str, object]]:
    """The settings in the file, by their full names."""

    def walk(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
        for key, value in table.items():
            name = prefix + key
            if "." in key:
                raise SettingsError(
                    f"{environment.file}: the key {key!r} has a dot in quotes. Write the part before the last dot into "
                    f"the table's header: [settings.{name.rpartition('.')[0]}]."
                )
            if name in known:
                yield name, value
            elif any(other.startswith(f"{name}.") for other in known):
                if not isinstance(value, dict):
                    raise SettingsError(
                        f"{environment.file}: settings.{name} is {value!r}, but must be a table, [settings.{name}]."
                    )
                yield from walk(value, f"{name}.")
            else:
                raise SettingsError(f"{environment.file}: {unknown(name, known)}")

    return walk(environment.settings, "")


def unknown(name: str, known: Mapping[str, object]) -> str:
    sections = ", ".join(spec.name for spec in fields(Settings))
    return f"There is no setting {name!r}. {did_you_mean(name, known, otherwise=f'The sections are {sections}.')}"


def _typed(environment: Environment, name: str, value: object, declaration: Declaration) -> object:
    """A value of a TOML file, which has types of its own: a number in quotes is refused."""
    kind = declaration.type
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type(value) is not kind:
        raise SettingsError(f"{environment.file}: {name} is {value!r}, but must be {WANTED[kind]}.")
    return value


def _parsed(name: str, value: object, declaration: Declaration) -> object:
    """A value of the command line, which is always text, or of cdk.json, which may be typed."""
    kind = declaration.type
    if kind is tuple:
        parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    text = "" if value is None else str(value).strip()
    if declaration.optional and not text:
        return None
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is date:
            return date.fromisoformat(text)
        return kind(text)
    except (KeyError, ValueError):
        raise SettingsError(f"{name} is {value!r}, but must be {WANTED[kind]}.") from None


def _build(section: Any, values: Mapping[str, object], prefix: str) -> Any:
    """A section with these values, nested sections first."""
    given = {}
    for name, declaration in declarations(section).items():
        if is_dataclass(declaration.type):
            given[name] = _build(declaration.type, values, f"{prefix}{name}.")
        elif prefix + name in values:
            given[name] = values[prefix + name]
    return section(**given)
