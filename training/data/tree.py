"""The photos and tables below a folder, in whatever layout they are."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contract.names import is_passed_over
from contract.photos import is_photo_file
from contract.text import printable

Parts = tuple[str, ...]
"""The folders and the file of a path, relative to the tree's root."""

DEEPEST = 8
"""Levels of folders that are read. The public data sets have at most five, with what archives wrap around them."""
TABLES = (".csv", ".tsv")
_SHOWN = 12
_SHOWN_DEPTH = 3


@dataclass(slots=True)
class Tree:
    """What `walk` found, without what `contract.names` passes over."""

    root: Path
    photos: list[Parts] = field(default_factory=list)
    """Sorted, so that they do not depend on the order in which a file system lists them."""
    tables: list[Parts] = field(default_factory=list)
    folders: set[Parts] = field(default_factory=set)
    others: list[Parts] = field(default_factory=list)
    """Files of any other type."""
    links: list[Parts] = field(default_factory=list)
    """Links that are not followed: to a folder, out of the root, or to nothing."""

    def top(self) -> str:
        """The first folders with their numbers of photos and other files, one in a line, for an error message."""
        lines: dict[Parts, Counter[str]] = {}
        for kind, files in (("photo", self.photos), ("table", self.tables), ("other file", self.others)):
            for parts in files:
                lines.setdefault(_shown(parts[:-1]), Counter())[kind] += 1
        if not lines:
            return "  (no files)"
        rows = [
            f"  {printable('/'.join(folder)) + '/' if folder else './'}  "
            + ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(lines[folder].items()))
            for folder in sorted(lines)
        ]
        more = [f"  and {len(rows) - _SHOWN} more folders"] if len(rows) > _SHOWN else []
        return "\n".join([*rows[:_SHOWN], *more])


def walk(folder: Path, *, most: int | None = None) -> Tree | None:
    """List the files below `folder`. With `most`, None if there are more entries than that.

    Raises OSError if a folder cannot be read.
    """
    tree = Tree(root=folder)
    real_root = os.path.realpath(folder)
    for number, (parts, entry) in enumerate(_entries(folder, ())):
        if most is not None and number >= most:
            return None
        if entry.is_symlink() and not _leads_to_a_file_within(entry, real_root):
            tree.links.append(parts)
        elif entry.is_dir():
            tree.folders.add(parts)
        elif not entry.is_file():
            continue  # a pipe or a socket, which would be read without an end
        elif is_photo_file(entry.name):
            tree.photos.append(parts)
        elif entry.name.lower().endswith(TABLES):
            tree.tables.append(parts)
        else:
            tree.others.append(parts)
    for files in (tree.photos, tree.tables, tree.others, tree.links):
        files.sort()
    return tree


def _shown(folder: Parts) -> Parts:
    return folder if len(folder) <= _SHOWN_DEPTH else (*folder[:_SHOWN_DEPTH], "...")


def _entries(folder: Path, above: Parts) -> Iterator[tuple[Parts, "os.DirEntry[str]"]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_passed_over(entry.name):
                continue
            yield (*above, entry.name), entry
            if entry.is_dir(follow_symlinks=False) and len(above) < DEEPEST:
                yield from _entries(Path(entry.path), (*above, entry.name))


def _leads_to_a_file_within(entry: "os.DirEntry[str]", real_root: str) -> bool:
    """Whether the link's target is a file below the root. Others could hold what the data set does not contain."""
    target = os.path.realpath(entry.path)
    return entry.is_file() and os.path.commonpath([target, real_root]) == real_root
