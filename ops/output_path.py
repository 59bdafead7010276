"""Whether a command can write where it was asked to, found out before the work whose result it will write."""

import os
from pathlib import Path


class OutputPathError(Exception):
    """A path that cannot be written. The message is a sentence with the path, the reason and the remedy."""


def check_folder(folder: Path) -> None:
    """Raise OutputPathError if `folder` cannot be made, or if nothing can be written into it."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if os.path.lexists(place):
            break
    if not place.is_dir():
        kind = "a file" if place.exists() else "a link to something that does not exist"
        raise OutputPathError(f"The folder {folder} cannot be made: {place} is {kind}. Name another folder.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputPathError(f"You have no permission to write into {place}. Name another folder.")


def check_file(path: Path, *, suffix: str) -> None:
    """Raise OutputPathError if the file cannot be written, or has not the suffix of what will be written."""
    if path.suffix.lower() != suffix:
        raise OutputPathError(f"{path} does not end with {suffix}. Name a file that does.")
    if path.is_dir():
        raise OutputPathError(f"{path} is a folder. Name a file.")
    check_folder(path.parent)
