"""Environments: one committed file for each deployment. It has the identity, the account, the region and the settings
of the deployment.

`app.py`, `make` and every `kennel` command read the same file through `load`, so they mean the same deployment.
Standard library only.
"""

from environments.environment import DEFAULT, DEFAULT_PROJECT, Environment, EnvironmentRefusedError, Protection
from environments.files import FOLDER, load, names

__all__ = [
    "DEFAULT",
    "DEFAULT_PROJECT",
    "FOLDER",
    "Environment",
    "EnvironmentRefusedError",
    "Protection",
    "load",
    "names",
]
