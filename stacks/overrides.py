"""From `-c <section>.<field>=<value>` to `Settings`: the only place where a setting is parsed."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from stacks.settings import Settings, SettingsError

PRESETS: Mapping[str, Mapping[str, object]] = {
    "development": {},
    "production": {
        "project.termination_protection": True,
        "storage.on_destroy": "retain",
        "serving.log_retention_days": 90,
        "api.log_retention_days": 90,
    },
}
"""`-c preset=NAME`: what changes before the single overrides apply. Development is every default as it stands."""


def load(context: Mapping[str, object]) -> Settings:
    """Settings of a CDK context: the preset, then each override, then the rules of `Settings`.

    Raises `SettingsError` with one sentence for an unknown name, a value of the wrong type, or an impossible value.
    """
    ours = {key: value for key, value in context.items() if _is_ours(key)}
    preset = str(ours.pop("preset", "development"))
    if preset not in PRESETS:
        raise SettingsError(f"preset is {preset!r}, but must be one of {', '.join(PRESETS)}.")
    known = dict(_types(Settings))
    values: dict[str, object] = {}
    for key, value in {**PRESETS[preset], **ours}.items():
        if key not in known:
            raise SettingsError(f"There is no setting {key!r}. {_near(key, list(known))}")
        values[key] = _parse(key, value, known[key])
    built: Settings = _build(Settings, values, "")
    return built


def _is_ours(key: str) -> bool:
    """CDK's own context keys carry a colon, a slash or an at sign (`aws:cdk:...`, `@aws-cdk/...`); ours never do."""
    return not any(mark in key for mark in ":/@")


def _types(section: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting's full name, and the type that its field declares."""
    hints = get_type_hints(section)
    for spec in fields(section):
        hint = hints[spec.name]
        if is_dataclass(hint):
            yield from _types(hint, f"{prefix}{spec.name}.")  # type: ignore[arg-type]
        else:
            yield prefix + spec.name, hint


def _near(key: str, known: list[str]) -> str:
    """The known names that look or end most like this one."""
    last = key.rpartition(".")[2]
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    close += [name for name in known if name.rpartition(".")[2] == last and name not in close]
    if close:
        return f"Did you mean {' or '.join(close[:3])}?"
    return f"The sections are {', '.join(spec.name for spec in fields(Settings))}."


def _parse(key: str, value: object, hint: Any) -> object:
    """A value of the command line (always text) or of cdk.json (typed) as the type that the field declares."""
    if get_origin(hint) is Literal:
        options = get_args(hint)
        if value not in options:
            raise SettingsError(f"{key} is {value!r}, but must be one of {', '.join(options)}.")
        return value
    if get_origin(hint) is tuple:
        parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    text = "" if value is None else str(value).strip()
    if isinstance(hint, UnionType):  # X | None
        if not text:
            return None
        (hint,) = (option for option in get_args(hint) if option is not NoneType)
    try:
        if hint is bool:
            return {"true": True, "false": False}[text.lower()]
        if hint is date:
            return date.fromisoformat(text)
        return hint(text)
    except (KeyError, ValueError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number", date: "a day such as 2027-08-21"}
        raise SettingsError(f"{key} is {value!r}, but must be {wanted.get(hint, 'text')}.") from None


def _build(section: Any, values: Mapping[str, object], prefix: str) -> Any:
    """A section with its overrides, nested sections first."""
    hints = get_type_hints(section)
    given = {}
    for spec in fields(section):
        name = prefix + spec.name
        if is_dataclass(hints[spec.name]):
            given[spec.name] = _build(hints[spec.name], values, f"{name}.")
        elif name in values:
            given[spec.name] = values[name]
    return section(**given)
