"""The photos that a command names: files, folders, patterns in quotes, and `-` for standard input."""

import errno
import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from contract.names import is_passed_over
from contract.photos import is_photo_file

STDIN = "-"
MOST_BYTES = 2**26
"""Limit of a file that is read. The largest photos of cameras take 40 MB, and what is longer is no photo."""


class NamedPhotoError(Exception):
    """A photo that cannot be read. The message is a sentence: why, and what to do. It names no file."""


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A photo as the user named it."""

    name: str
    """The path, or `-`."""

    def read(self) -> bytes:
        """Raises NamedPhotoError."""
        if self.name == STDIN:
            if sys.stdin.isatty():
                raise NamedPhotoError("Standard input is a terminal; pipe a photo into the command, or name a file.")
            return _read(sys.stdin.buffer)
        try:
            with Path(self.name).open("rb") as file:
                return _read(file)
        except OSError as error:
            raise NamedPhotoError(_sentence(error)) from error


def named_photos(words: Sequence[str]) -> list[NamedPhoto]:
    """The photos that the words name, in their order, each once.

    A folder stands for the photos in it and in its folders, by their suffixes, without hidden files. A word with `*`,
    `?` or `[` that is not itself a file is a pattern, in which `**` stands for any folders. A word that names nothing
    is a photo all the same, whose `read` says so.
    """
    names = (name for word in words for name in _expanded(word))
    return [NamedPhoto(name) for name in dict.fromkeys(names)]


def _expanded(word: str) -> list[str]:
    if word == STDIN:
        return [word]
    found = [word] if os.path.lexists(word) else _matching(word)
    return [name for path in found or [word] for name in (_photos_in(path) if Path(path).is_dir() else [path])]


def _matching(pattern: str) -> list[str]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - as written
    return [path for path in found if Path(path).is_dir() or Path(path).is_file()]  # a pipe would wait without a limit


def _photos_in(folder: str) -> list[str]:
    return list(_walk(folder)) or [folder]


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_passed_over(name))
        # a pipe among them would wait without a limit
        yield from (
            str(path) for name in sorted(files) if is_photo_file(name) and (path := Path(place, name)).is_file()
        )


def _read(file: IO[bytes]) -> bytes:
    if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NamedPhotoError(f"The file has more than {MOST_BYTES // 2**20} MiB, so it is no photo.")
    return content


def _sentence(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "There is no such file. Name photos, folders, a pattern in quotes, or - for standard input."
        case IsADirectoryError():
            return "The folder has no JPEG, PNG or WebP files. Name another folder, or the photos themselves."
        case PermissionError():
            return "The file cannot be read with your permissions; change them, or name another file."
        case _:
            return f"The file cannot be read ({error.strerror or error}); name another one."
