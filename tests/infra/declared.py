"""The declared settings by their full names, such as serving.scaling.max_instances."""

from contract.declarations import Declaration
from stacks.settings.parse import declared

SETTINGS: dict[str, Declaration] = dict(declared())


def at(settings: object, name: str) -> object:
    """A setting's value."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings
