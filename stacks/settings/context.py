"""Which keys of a CDK context are settings. CDK, other tools and the user's ~/.cdk.json share that context."""

import difflib
import re
from collections.abc import Iterator, Mapping

from environments import Environment
from environments.suggestions import did_you_mean
from stacks.settings.rules import SettingsError

ENVIRONMENT = "kennel.environment"
OWN = (ENVIRONMENT, "kennel.photos_environment", "kennel.photos_account", "kennel.photos_region")
"""Keys for the environment's name, and for the environment, account and region from which kennel read the photos.

environments/agreement.py compares those with CDK's.
"""

IN_THE_FILE = {
    "project.name": "project",
    "project.region": "region",
    "project.account": "account",
    "project.profile": "profile",
    "project.termination_protection": "protection.termination",
    "protection.termination": "protection.termination",
    "protection.keep_bucket": "protection.keep_bucket",
    "storage.on_destroy": "protection.keep_bucket",
    "environment.project": "project",
    "environment.region": "region",
    "environment.account": "account",
    "environment.profile": "profile",
}
"""Keys that users may try for a deployment's identity and protection, each with its key in the environment's file."""


SECTIONS_OF_THE_FILE = ("project", "protection", "tags", "settings")
"""Sections whose dotted keys are Kennel's, in addition to those of the settings."""
NAMES_OF_THE_ENVIRONMENT = ("project.environment", "environment.name", "env.name", "preset")
"""Keys that users may try instead of kennel.environment."""


def overrides(
    context: Mapping[str, object], known: Mapping[str, object], environment: Environment
) -> Iterator[tuple[str, object]]:
    """The settings in a context, by their full names.

    Keys of other tools are ignored. Raises SettingsError for a misspelled key of Kennel, and for a key of the
    deployment's identity, which only the environment's file may contain.
    """
    for key, value in context.items():
        if key in known:
            yield key, value
        elif key in OWN:
            continue
        elif in_file := _key_of_the_file(key):
            raise SettingsError(
                f"{key} is not set with -c: edit {in_file!r} in {environment.file}, which CDK, make and kennel read."
            )
        elif _normal(key) in map(_normal, NAMES_OF_THE_ENVIRONMENT):
            raise SettingsError(
                f"{key} does not choose an environment: name one with -c {ENVIRONMENT}=NAME; its file in environments/ "
                "contains the settings that differ."
            )
        elif _is_misspelled(key, value, known):
            meant = _last_part(key, known) or key.lower().replace("-", "_")
            suggestion = did_you_mean(meant, [*known, ENVIRONMENT, *IN_THE_FILE], otherwise=_sections(known))
            raise SettingsError(f"There is no setting {key!r}. {suggestion}")


def _normal(key: str) -> str:
    """The lower-case letters and digits of a key: `max-instances` and `maxInstances` have the same ones."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _key_of_the_file(key: str) -> str | None:
    """The key of the environment's file that a dotted key of the context means, or None."""
    section, dot, rest = key.partition(".")
    section = _normal(section)
    if not dot or not rest:
        return None
    if section == "tags":
        return f"tags.{rest}"
    meant = {_normal(name): in_file for name, in_file in IN_THE_FILE.items()}
    return meant.get(("environment" if section == "env" else section) + _normal(rest))


def _is_misspelled(key: str, value: object, known: Mapping[str, object]) -> bool:
    """Whether an unknown key is a misspelled key of Kennel.

    CDK's own keys have a colon, a slash or an at sign. Kennel's are each key that begins with `kennel`, a dotted key
    below a section, and an object with a section's name. Another key, such as `environment` or `cli-telemetry`, belongs
    to another tool, unless it resembles a setting's full name, or the last part of one that has several words, such as
    `max_instances`.
    """
    normal = _normal(key)
    if normal.startswith("kennel"):
        return True
    if any(mark in key for mark in ":/@"):
        return False
    section, dot, _ = key.partition(".")
    sections = [*{name.partition(".")[0] for name in known}, *SECTIONS_OF_THE_FILE]
    if (dot or isinstance(value, Mapping)) and difflib.get_close_matches(_normal(section), sections, n=1, cutoff=0.9):
        return True
    full = [_normal(name) for name in (*known, *IN_THE_FILE)]
    return bool(
        normal in full
        or _last_part(key, known)
        or (dot and difflib.get_close_matches(normal, full, n=1, cutoff=0.8))
        or (_has_words(key) and difflib.get_close_matches(normal, full, n=1, cutoff=0.9))
    )


def _last_part(key: str, known: Mapping[str, object]) -> str | None:
    """The last part of a setting's name that a key without a dot means. Only parts of several words are compared."""
    if "." in key:
        return None
    parts = {_normal(part): part for part in (name.rpartition(".")[2] for name in known) if "_" in part}
    close = difflib.get_close_matches(_normal(key), parts, n=1, cutoff=0.9 if _has_words(key) else 1)
    return parts[close[0]] if close else None


def _has_words(key: str) -> bool:
    """Whether a key has several words: max_instances, max-instances or maxInstances."""
    return re.search(r"[^A-Za-z0-9]|[a-z][A-Z]", key) is not None


def _sections(known: Mapping[str, object]) -> str:
    return f"The sections are {', '.join(dict.fromkeys(name.partition('.')[0] for name in known))}."
