"""Files of a data folder that training passes over without opening them: no photos to it, or not where photos are."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.photos import ALSO_CALLED, SPLITS, SUFFIXES
from training.data.dataset import folder_of

_OF_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})
"""What Windows leaves in folders of photos; what others leave there is hidden."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Names within the data folder, such as train/Pug/a.heic."""

    unknown: Sequence[str]
    """Files with a suffix that is not read; those of one suffix each come first, as examples."""
    astray: Sequence[str]
    """Photos that are not directly in a breed's folder, or in a folder that another takes the place of."""
    dangling: Sequence[str]
    """Photos that are links to nothing."""

    def suffixes(self) -> Counter[str]:
        """Of the unknown files, in small letters; the empty one for a file without."""
        return Counter(Path(name).suffix.lower() for name in self.unknown)

    def folders(self) -> Counter[str]:
        """Of the photos that are astray, each with how many are in it."""
        return Counter(name.rpartition("/")[0] for name in self.astray)


def unread(folder: Path) -> Unread:
    """Look through the splits of `folder`, a data folder; hidden files and folders are passed over here, too."""
    unknown, astray, dangling = [], [], []
    in_use = {folder_of(folder, split) for split in SPLITS}
    for split in (*SPLITS, *(name for names in ALSO_CALLED.values() for name in names)):
        for path in _files(folder / split):
            name = path.relative_to(folder).as_posix()
            if path.suffix.lower() not in SUFFIXES:
                unknown.append(name)
            elif not path.is_file():
                dangling.append(name)
            elif path.parent.parent not in in_use:
                astray.append(name)
    return Unread(unknown=_examples_first(unknown), astray=astray, dangling=dangling)


def _files(split: Path) -> Iterator[Path]:
    """At any depth. A breed's folder may be a link, as training follows it; one within it is not followed."""
    if not split.is_dir():
        return
    for path in sorted(split.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            for place, folders, files in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                yield from (Path(place, name) for name in sorted(files) if _is_someones(name))
        elif not path.is_dir() and _is_someones(path.name):
            yield path


def _is_someones(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _OF_THE_SYSTEM


def _examples_first(names: Sequence[str]) -> list[str]:
    examples = {Path(name).suffix.lower(): name for name in reversed(names)}
    first = sorted(examples.values())
    return first + [name for name in names if name not in set(first)]
