"""The folder of a local AWS: it begins empty, and one local AWS at a time has it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "local-aws.lock"
"""The file that says whose folder it is. It is locked while a local AWS runs there."""


class FolderRefusedError(ValueError):
    """A folder that a local AWS may not have. The message says why, and what to name instead."""


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Delete what an earlier local AWS wrote, and keep other local AWS out until the block ends.

    The lock ends with the process, however that ends. Raises FolderRefusedError for a folder with other files, and for
    one in which another local AWS runs.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FolderRefusedError(
            f"{folder} has other files, which a local AWS would delete: name a new folder, or an empty one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / MARK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderRefusedError(f"Another local AWS runs in {folder}: end it, or name another folder.") from error
        _empty(folder)
        yield
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        elif each.name != MARK:
            each.unlink(missing_ok=True)
