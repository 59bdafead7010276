"""A missing Python package as one sentence, with the command that installs it. It imports only the standard library."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

VERBS = {
    ("audit",): "make audit-roles",
    ("cost",): "make cost",
    ("data", "check"): "make data-check DIR=FOLDER",
    ("data", "upload"): "make data-upload DIR=FOLDER",
    ("preflight",): "make preflight",
    ("weights", "upload"): "make weights-upload FILE=FILE",
}
"""Commands with a verb of make, which installs what the command needs and runs it."""


def missing_package(error: ModuleNotFoundError, arguments: Sequence[str]) -> str:
    """The sentence for a command with these arguments; empty if the module is Kennel's own, which is a bug."""
    package = (error.name or "").partition(".")[0]
    if not package or (Path(__file__).parents[1] / package).is_dir():
        return ""
    words = {*((word,) for word in arguments), *pairwise(arguments)}
    verb = next((verb for command, verb in VERBS.items() if command in words), "")
    remedy = (
        f"Run `{verb}`, which installs what this command needs and runs it"
        if verb
        else "Run `make setup`, which installs every package, and then the same command again"
    )
    return f"This command needs the Python package {package}, which {sys.prefix} does not have. {remedy}."
