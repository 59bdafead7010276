"""Which keys of a CDK context are settings. CDK, other tools and the user's ~/.cdk.json share that context."""

import difflib
from collections.abc import Iterator, Mapping

from environments import Environment
from environments.suggestions import did_you_mean
from stacks.settings.rules import SettingsError

ENVIRONMENT = "kennel.environment"
OWN = (ENVIRONMENT, "kennel.photos_account", "kennel.photos_region")
"""Which environment is meant; and where kennel read the photos, which environments/agreement.py compares with CDK."""

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
"""What identifies or protects a deployment, as somebody may write it, and its key in the environment's file."""


def overrides(
    context: Mapping[str, object], known: Mapping[str, object], environment: Environment
) -> Iterator[tuple[str, object]]:
    """The settings in a context, by their full names.

    Other people's keys pass. Raises SettingsError for a key that can only be a slip in one of ours, and for the
    identity of the deployment, which only the environment's file gives.
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
                "holds the settings that differ."
            )
        elif key not in OWN and _is_a_slip(key, known):
            names = [*known, *OWN, *IN_THE_FILE]
            raise SettingsError(f"There is no setting {key!r}. {did_you_mean(key, names, otherwise=_sections(known))}")


def _is_a_slip(key: str, known: Mapping[str, object]) -> bool:
    """Whether a key is one of ours, misspelled.

    CDK's own keys have a colon, a slash or an at sign. Ours have a dot; what has none and means nothing here, such as
    `environment` or `cli-telemetry`, is somebody else's, unless it is the last part of a setting and of several words,
    such as `max_instances`.
    """
    if any(mark in key for mark in ":/@"):
        return False
    if "." not in key:
        return "_" in key and key in {name.rpartition(".")[2] for name in known}
    ours = [*known, *OWN, *IN_THE_FILE]
    section = key.partition(".")[0]
    return section in {name.partition(".")[0] for name in (*known, *OWN)} or bool(
        difflib.get_close_matches(key, ours, n=1, cutoff=0.8)
    )


def _sections(known: Mapping[str, object]) -> str:
    return f"The sections are {', '.join(dict.fromkeys(name.partition('.')[0] for name in known))}."
