"""Write a split: links or copies of the source's photos, complete or not at all."""

import os
import shlex
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import current_thread, main_thread
from typing import Literal

from contract.photos import SPLITS
from ops.data.split.errors import SplitError

How = Literal["hard link", "symbolic link", "copy"]


def check_target(folder: Path, source: Path) -> None:
    """Raise SplitError unless `folder` is new or empty, and outside the source, which is never changed."""
    target, origin = folder.resolve(), source.resolve()
    if target == origin or origin in target.parents:
        raise SplitError(f"The result {folder} would be in the source {source}. Name a folder outside of it.")
    if target.exists() and not target.is_dir():
        raise SplitError(f"{folder} is a file. Name a new folder for the result.")
    if target.is_dir() and any(target.iterdir()):
        raise SplitError(f"{folder} is not empty. Name a new folder for the result, or remove it first.")


def write(
    folder: Path,
    photos: Mapping[str, Path],
    *,
    how: How | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Counter[How]:
    """Write each photo, by its name split/breed/file, and return how many are links and copies.

    Without `how`: hard links where the file system allows them, and copies elsewhere. Everything is written into a
    hidden folder beside `folder`, which is renamed at the end and removed if this function is interrupted.

    Raises SplitError if hard links were asked for and are not possible, and OSError.
    """
    target = folder.resolve()
    place = next(parent for parent in target.parents if parent.is_dir())
    part = Path(mkdtemp(dir=place, prefix=f".{target.name}.", suffix=".part"))
    made: Counter[How] = Counter()
    try:
        result = part / "result"  # mkdtemp's own folder can be read by this user alone
        for name in sorted({name.rpartition("/")[0] for name in photos} | set(SPLITS)):
            (result / name).mkdir(parents=True, exist_ok=True)
        for done, (name, photo) in enumerate(photos.items(), start=1):
            made[_write_photo(Path(os.path.realpath(photo)), result / name, how)] += 1
            if progress:
                progress(done, len(photos))
        target.parent.mkdir(parents=True, exist_ok=True)
        _rename(result, target)
    finally:
        with _uninterrupted():
            shutil.rmtree(part, ignore_errors=True)
    return made


def _write_photo(photo: Path, target: Path, how: How | None) -> How:
    if how == "symbolic link":
        target.symlink_to(photo)
        return how
    if how != "copy":
        try:
            os.link(photo, target)
            return "hard link"
        except OSError as error:  # another file system, one without links, or another user's photo
            if not photo.is_file():
                raise
            if how == "hard link":
                raise SplitError(
                    f"{shlex.quote(str(photo))} cannot be linked ({error.strerror}). Leave --link out: photos that "
                    "cannot be linked are then copied."
                ) from error
    shutil.copyfile(photo, target)
    return "copy"


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C does not leave a part of the hidden folder. Only the main thread may change the handlers."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if current_thread() is main_thread() else ()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rename(result: Path, target: Path) -> None:
    try:
        result.rename(target)  # replaces an empty folder, and no other
    except OSError as error:
        raise SplitError(
            f"The result could not be renamed to {target} ({error.strerror}). Name a folder that does not exist yet."
        ) from error
