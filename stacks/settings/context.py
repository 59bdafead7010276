"""Which keys of a CDK context are settings. CDK, other tools and the user's ~/.cdk.json share that context."""

import difflib
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
    "storage.on_destroy": "protection.keep_bucket",
    "environment.project": "project",
    "environment.region": "region",
    "environment.account": "account",
    "environment.profile": "profile",
}
"""Keys that users may try for a deployment's identity and protection, each with its key in the environment's file."""


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
        elif key in IN_THE_FILE:
            raise SettingsError(
                f"{key} is not set with -c: edit {IN_THE_FILE[key]!r} in {environment.file}, which CDK, make and "
                "kennel all read."
            )
        elif key == "preset":
            raise SettingsError(
                f"There are no presets: name an environment with -c {ENVIRONMENT}=NAME; its file in environments/ "
                "contains the settings that differ."
            )
        elif key not in OWN and _is_misspelled(key, known):
            names = [*known, *OWN, *IN_THE_FILE]
            raise SettingsError(f"There is no setting {key!r}. {did_you_mean(key, names, otherwise=_sections(known))}")


def _is_misspelled(key: str, known: Mapping[str, object]) -> bool:
    """Whether an unknown key is a misspelled key of Kennel.

    CDK's own keys have a colon, a slash or an at sign, and Kennel's have a dot. A key without a dot, such as
    `environment` or `cli-telemetry`, belongs to another tool, unless it is the last part of a setting's name and has
    several words, such as `max_instances`.
    """
    if any(mark in key for mark in ":/@"):
        return False
    if "." not in key:
        return "_" in key and key in {name.rpartition(".")[2] for name in known}
    candidates = [*known, *OWN, *IN_THE_FILE]
    section = key.partition(".")[0]
    return section in {name.partition(".")[0] for name in (*known, *OWN)} or bool(
        difflib.get_close_matches(key, candidates, n=1, cutoff=0.8)
    )


def _sections(known: Mapping[str, object]) -> str:
    return f"The sections are {', '.join(dict.fromkeys(name.partition('.')[0] for name in known))}."
