"""Files of a data folder that training ignores: of another type, or not where photos belong."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.names import is_passed_over
from contract.photos import ALSO_CALLED, SPLITS, SUFFIXES
from inference.photo.file_types import HEAD_BYTES, file_type
from training.data.folders import folder_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Names within the data folder, such as train/Pug/a.heic."""

    unknown: Sequence[str]
    """Files with another suffix than a photo's. One example of each suffix comes first."""
    misnamed: Sequence[str]
    """Photos by their content, with another suffix than a photo's."""
    misplaced: Sequence[str]
    """Photos that are not directly in a breed's folder, or are in val/ next to valid/, which is read instead."""
    broken_links: Sequence[str]
    """Symbolic links whose target does not exist."""

    def suffixes(self) -> Counter[str]:
        """Number of unknown files by suffix in lower case; the empty string for files without one."""
        return Counter(Path(name).suffix.lower() for name in self.unknown)

    def folders(self) -> Counter[str]:
        """Number of misplaced photos by folder."""
        return Counter(name.rpartition("/")[0] for name in self.misplaced)


def unread(folder: Path) -> Unread:
    """The ignored files in the splits of the data folder `folder`, without those of the system (contract/names.py).

    Raises OSError if a split cannot be read.
    """
    unknown: list[str] = []
    misnamed: list[str] = []
    misplaced, broken_links = [], []
    in_use = {folder_of(folder, split) for split in SPLITS}
    for split in (*SPLITS, *(name for names in ALSO_CALLED.values() for name in names)):
        for path in _files(folder / split):
            name = path.relative_to(folder).as_posix()
            if path.suffix.lower() not in SUFFIXES:
                (misnamed if _is_photo(path) else unknown).append(name)
            elif not path.is_file():
                broken_links.append(name)
            elif path.parent.parent not in in_use:
                misplaced.append(name)
    return Unread(unknown=_examples_first(unknown), misnamed=misnamed, misplaced=misplaced, broken_links=broken_links)


def _is_photo(path: Path) -> bool:
    """Whether the file's content is a type that training reads, whatever its name says."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return False
        with path.open("rb") as file:
            return file_type(file.read(HEAD_BYTES)).is_decoded
    except OSError:
        return False


def _files(split: Path) -> Iterator[Path]:
    """Files at any depth. A breed's folder may be a symbolic link, as in training; deeper links are not followed."""
    if not split.is_dir():
        return
    for path in sorted(split.iterdir()):
        if is_passed_over(path.name):
            continue
        if path.is_dir():
            for place, folders, files in os.walk(path):
                folders[:] = sorted(name for name in folders if not is_passed_over(name))
                yield from (Path(place, name) for name in sorted(files) if not is_passed_over(name))
        else:
            yield path


def _examples_first(names: Sequence[str]) -> list[str]:
    examples = {Path(name).suffix.lower(): name for name in reversed(names)}
    first = sorted(examples.values())
    return first + [name for name in names if name not in set(first)]
