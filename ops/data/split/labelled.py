"""The photos of a data set in a public layout, each with its breed and the split that the data set gave it."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.names import alike, is_passed_over, same_text, shown
from contract.text import printable
from inference.printable import is_printable
from ops.data.split.errors import SplitError
from ops.data.split.left_out import UNREAD, explain
from training.data.label_columns import LabelTable, PhotoNames
from training.data.layouts import STANFORD, TSINGHUA, Layout, is_annotation, recognised, split_word, what_it_has
from training.data.tree import TABLES, Parts, Tree, walk

_NOTES = {
    "Stanford Dogs": "Its own lists of training and test photos (.mat) are not read; the splits are drawn.",
    "Oxford-IIIT Pet": (
        "Breeds whose names begin with a capital letter are cats; for dogs alone, delete their folders from each split."
    ),
}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".7z", ".rar")
_LONGEST = 200
"""Bytes of a breed's name. File systems allow 255 for a folder."""


@dataclass(frozen=True, slots=True)
class SourcePhoto:
    """One labelled photo of the source."""

    parts: Parts
    breed: str
    """The name of the breed's folder in the result."""
    split: str
    """The split that the source gave it; empty if it gave none."""

    @property
    def name(self) -> str:
        return "/".join(self.parts)


@dataclass(slots=True)
class Source:
    """A data set, read by its layout."""

    folder: Path
    layout: Layout
    photos: list[SourcePhoto]
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Names of the photos, or rows, that cannot be used, by reason."""
    notes: list[str] = field(default_factory=list)
    """Sentences about how the source was read."""

    @property
    def splits(self) -> frozenset[str]:
        """The splits that the source has."""
        return frozenset(photo.split for photo in self.photos if photo.split)


def read_source(folder: Path) -> Source:
    """Find the layout of the folder and label its photos. No photo is opened.

    Raises SplitError for an unknown layout, or labels that cannot be used; OSError if a folder cannot be read.
    """
    if not folder.is_dir():
        raise SplitError(f"The source {printable(folder)} {_no_folder(folder)}.")
    tree = walk(folder)
    if tree is None or not tree.photos:
        raise SplitError(f"The source {folder} contains no photos. It has:\n{tree.top() if tree else ''}")
    layout = recognised(tree)
    if layout is None:
        raise SplitError(
            f"The layout of {folder} is not a known one, so its photos have no labels. {what_it_has(tree)}"
        )
    source = Source(folder, layout, [])
    labels = _table_labels(tree, source) if layout.kind == "tables" else _folder_labels(tree, source)
    names = _folder_names(source, Counter(breed for breed, _ in labels.values()))
    source.photos = [SourcePhoto(parts, names[breed], split) for parts, (breed, split) in sorted(labels.items())]
    if layout.is_trainings():
        place = printable(folder.joinpath(*layout.base))
        source.notes.append(f"{place} has the folders that training reads, and can be used as it is.")
    if layout.known_as in _NOTES and not layout.splits:
        source.notes.append(_NOTES[layout.known_as])
    if tree.links:
        source.left_out["links to a folder, out of the source or to nothing"] = ["/".join(link) for link in tree.links]
    _check(source)
    return source


def _no_folder(path: Path) -> str:
    if not path.exists():
        return "does not exist"
    if path.suffix.lower() in TABLES:
        return f"is a table; name the folder that contains it and the photos, such as {printable(path.parent)}"
    if path.name.lower().endswith(_ARCHIVES):
        return "is an archive; unpack it first, and name the folder"
    return "is a file; name a folder of photos"


def _folder_labels(tree: Tree, source: Source) -> dict[Parts, tuple[str, str]]:
    labels = {}
    for photo in tree.photos:
        if is_annotation(photo):
            continue
        breed = source.layout.breed_of(photo)
        if breed:
            labels[photo] = breed, source.layout.split_of(photo)
        else:
            source.left_out[_unlabelled(source.layout)].append("/".join(photo))
    unread = [other for other in tree.others if not is_annotation(other) and source.layout.breed_of(other)]
    if unread:
        source.left_out[f"{UNREAD} ({_suffixes(unread)})"] = ["/".join(other) for other in unread]
    return labels


def _suffixes(files: Sequence[Parts]) -> str:
    """Such as: 12 .heic, 1 without a suffix."""
    counted = Counter(Path(parts[-1]).suffix.lower() or "without a suffix" for parts in files)
    return ", ".join(f"{count} {printable(suffix)}" for suffix, count in counted.most_common(5))


def _unlabelled(layout: Layout) -> str:
    return (
        "photos without a breed in the file's name"
        if layout.kind == "names"
        else "photos not directly in a breed's folder"
    )


def _table_labels(tree: Tree, source: Source) -> dict[Parts, tuple[str, str]]:
    photos = [photo for photo in tree.photos if not is_annotation(photo)]
    names, others = PhotoNames(photos), PhotoNames(tree.others)
    rows: dict[Parts, set[tuple[str, str]]] = defaultdict(set)
    for table in source.layout.tables:
        place, where = printable("/".join(table.parts)), _split_of_table(table, source.layout.tables)
        missing, listed = [], 0
        found_rows = _rows(table, source.folder)
        gives_splits = any(split_word(split) for _, _, split in found_rows)  # a column "set" may mean something else
        for name, breed, split in found_rows:
            listed += 1
            found = _nearest(names.find(name), table, source.layout)
            if not found and others.find(name):
                source.left_out[UNREAD].append("/".join(others.find(name)[0]))
            elif not found:
                missing.append(name)
            elif len(found) > 1:
                source.left_out[f"rows of {place} that may mean several photos"].append(name)
            elif not breed:
                source.left_out[f"rows of {place} without a breed"].append(name)
            elif gives_splits and split and not split_word(split):  # such as a holdout that nothing may train on
                source.left_out[f"rows of {place} with a split that is not train, valid or test"].append(name)
            else:
                rows[found[0]].add((breed, split_word(split) or where or source.layout.split_of(found[0])))
        if missing:
            source.left_out[f"rows of {place} without a photo"] = missing
        if listed and len(missing) == listed:
            raise SplitError(
                f"No row of {place} names a photo in {source.folder}; its first names {printable(missing[0])}. Name "
                "the folder that contains both the table and the photos."
            )
    tables = " and ".join(printable("/".join(table.parts)) for table in source.layout.tables)
    for photo in photos:
        if photo not in rows:
            source.left_out[f"photos without a row in {tables}"].append("/".join(photo))
        elif len({breed for breed, _ in rows[photo]}) > 1:
            source.left_out[f"photos with several breeds in {tables}"].append("/".join(photo))
    return {photo: min(found) for photo, found in rows.items() if len({breed for breed, _ in found}) == 1}


def _rows(table: LabelTable, folder: Path) -> list[tuple[str, str, str]]:
    try:
        return list(table.rows(folder))
    except UnicodeDecodeError as error:
        path = folder.joinpath(*table.parts)
        raise SplitError(f"The table {path} is not UTF-8. Save it as UTF-8 (CSV UTF-8), then split again.") from error
    except csv.Error as error:
        raise SplitError(
            f"The table {folder.joinpath(*table.parts)} cannot be read ({error}). Correct that row, then split again."
        ) from error


def _nearest(found: Sequence[Parts], table: LabelTable, layout: Layout) -> Sequence[Parts]:
    """Of several photos with one name, those in the folder that the table is about: its own, then train/."""
    if len(found) > 1:
        beside = [photo for photo in found if photo[:-1] == table.parts[:-1]]
        found = beside or [photo for photo in found if layout.split_of(photo) == "train"] or found
    return found


def _split_of_table(table: LabelTable, tables: Sequence[LabelTable]) -> str:
    """The split that the names of several tables mean, such as train.csv and test_labels.csv."""
    return split_word(re.split(r"[^a-z]", table.parts[-1].lower())[0]) if len(tables) > 1 else ""


def _folder_names(source: Source, labels: Counter[str]) -> Mapping[str, str]:
    """The name of the breed's folder for each label. Labels that `data check` takes for one are one breed."""
    prefix = {"Stanford Dogs": STANFORD, "Tsinghua Dogs": TSINGHUA}.get(source.layout.known_as)
    names = {label: prefix.sub("", label, count=1) if prefix else label for label in labels}
    if prefix and len({alike(_folder_name(name)) for name in names.values()}) < len(labels):
        names = {label: label for label in labels}
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label, name in names.items():
        spellings[alike(_folder_name(name))][name] += labels[label]
    for found in spellings.values():
        if len(found) > 1:
            source.notes.append(f"{' and '.join(map(shown, sorted(found)))} are read as one breed.")
    chosen = {form: min(found, key=lambda name: (-found[name], name)) for form, found in spellings.items()}
    return {label: _folder_name(chosen[alike(_folder_name(name))]) for label, name in names.items()}


def _folder_name(label: str) -> str:
    name = same_text(label).strip().replace("/", "_").replace("\\", "_")
    if is_passed_over(name):  # training ignores such a folder, and `..` would be outside the result
        name = f"_{name.lstrip('.')}"
    if not is_printable(name):
        raise SplitError(
            f"The breed '{printable(name)}' has a name that cannot be printed (a control character, an invisible one, "
            "or bytes that are not UTF-8). Rename it, then split again."
        )
    if len(name.encode()) > _LONGEST:
        raise SplitError(f"The breed {name[:40]!r}... has a name of more than {_LONGEST} bytes. Shorten it.")
    return name


def one_name(name: str) -> str:
    """Equal for names that a file system may not keep apart: they differ only in case, or in the form of accents."""
    return same_text(same_text(name).casefold())


def _check(source: Source) -> None:
    breeds = {photo.breed for photo in source.photos}
    if len(breeds) < 2:
        found = f"only the breed {min(breeds)}" if breeds else "no labelled photo"
        why = explain(source.left_out) if source.left_out else ""
        needs = f"a classifier needs two or more breeds. {why}".rstrip()
        raise SplitError(f"{source.folder} ({source.layout}) has {found}; {needs}")
    if source.splits and "train" not in source.splits:
        raise SplitError(
            f"{source.folder} has {' and '.join(sorted(source.splits))} photos, and no training photos. Photos are "
            "never moved from there into training. Name a folder that also has training photos."
        )
