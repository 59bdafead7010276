"""One rehearsal in a folder at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.rehearse.errors import RehearsalError

NAME = "rehearsal.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made if there is none. The system lets it go when the process ends, however it ends.

    Raises RehearsalError if another rehearsal holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            raise RehearsalError(
                f"Another rehearsal (process {holder}) uses the folder {folder}. Wait for its end, or name another "
                "folder: make rehearse ARGS='--folder build/another'."
            ) from error
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)  # the file stays: another process may be about to lock it
