"""Which other environment has an endpoint of a given name, where both may be in one account and region."""

import tomllib
from pathlib import Path

from environments.environment import Environment, EnvironmentRefusedError
from environments.files import FOLDER, names, read_text


def owner_of_endpoint(environment: Environment, endpoint: str, folder: Path = FOLDER) -> str | None:
    """The name of another environment whose endpoint has this name, or None.

    Two environments with different accounts, or with different regions, may have equal endpoint names. An open account
    or region may be any.
    """
    for name in names(folder):
        other = _read(name, folder)
        if other is None or (other.project, other.name) == (environment.project, environment.name):
            continue
        same_place = _may_be_equal(environment.account, other.account) and _may_be_equal(
            environment.region, other.region
        )
        if same_place and other.settings.get("endpoint_name", other.endpoint_name) == endpoint:
            return name
    return None


def _read(name: str, folder: Path) -> Environment | None:
    """The identity in an environment's file, with the endpoint's name as its only setting; None if it has no valid
    identity.

    Ignores every other key: an error in the file of one environment does not stop another one.
    """
    try:
        read = tomllib.loads(read_text(folder / f"{name}.toml"))
        identity = {key: read[key] for key in ("project", "account", "region") if isinstance(read.get(key), str)}
        settings = read.get("settings")
        serving = settings.get("serving") if isinstance(settings, dict) else None
        endpoint = serving.get("endpoint_name") if isinstance(serving, dict) else None
        return Environment(
            name=name, settings={"endpoint_name": endpoint} if isinstance(endpoint, str) else {}, **identity
        )
    except (EnvironmentRefusedError, OSError, ValueError):  # ValueError: not TOML, or not UTF-8
        return None


def _may_be_equal(one: str, other: str) -> bool:
    return not one or not other or one == other
