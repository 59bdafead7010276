"""Which public layout a folder of photos has, if it is not the one that training reads.

Training's error names it with the command that converts it, and `kennel data split` reads photos by it.
docs/decisions/0086-splits-of-public-data-sets.md lists the layouts.
"""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from contract.photos import ALSO_CALLED, SPLITS
from contract.text import printable
from training.data.label_columns import LabelTable, label_table
from training.data.tree import Parts, Tree, walk

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "eval": "valid",
    "test": "test",
    "testing": "test",
}
"""Names of folders, in any case, and the split that they mean."""
STANFORD = re.compile(r"n\d{8}-(?=.)")
"""The WordNet id before each breed of Stanford Dogs: n02085620-Chihuahua."""
TSINGHUA = re.compile(r"\d+-n\d{6,8}-(?=.)")
"""The number of photos and the id before each breed of Tsinghua Dogs: 200-n000008-Airedale."""
OXFORD = re.compile(r"(?P<breed>.+)_\d+\.[A-Za-z]+")
"""The name of a photo in Oxford-IIIT Pet: american_bulldog_10.jpg."""
_ANNOTATIONS = re.compile(r"(.*[-_])?annotations?", re.IGNORECASE)
"""Folders of marks on photos. Those of Oxford-IIIT Pet are PNG files, and no photos."""
_MOST_ENTRIES = 200_000
"""Files and folders that an error message reads before it names no layout: a home folder may have millions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the photos below a folder are labelled and divided."""

    kind: Literal["splits", "breeds", "tables", "names"]
    """Folders of splits with folders of breeds; folders of breeds; tables of labels; labels in the files' names."""
    base: Parts
    """The folder in which the layout begins, below the folders that an archive or a user wrapped around it."""
    splits: dict[str, Parts]
    """The folders in `base` that are splits: name to the folder with the photos or breeds, relative to the root."""
    tables: Sequence[LabelTable] = ()
    known_as: str = ""
    """The public data set, if its names show which it is."""
    breeds: int = 0
    """Folders of breeds; 0 if the labels are not folders."""

    def __str__(self) -> str:
        """Such as: Stanford Dogs: Images/<breed>/, 120 breeds."""
        name = f"{self.known_as}: " if self.known_as else ""
        count = f", {self.breeds} breeds" if self.breeds else ""
        return f"{name}{self._form()}{count}"

    def _form(self) -> str:
        base = "".join(f"{printable(part)}/" for part in self.base)
        match self.kind:
            case "breeds":
                return f"{base}<breed>/"
            case "splits":
                return ", ".join(f"{printable('/'.join(folder))}/<breed>/" for folder in self.splits.values())
            case "tables":
                names = " and ".join(printable("/".join(table.parts)) for table in self.tables)
                places = [printable("/".join(folder)) for folder in self.splits.values()] or [base.rstrip("/") or "."]
                return f"{names} with the labels of the photos in {' and '.join(f'{place}/' for place in places)}"
            case "names":
                return f"{base}<breed>_<number>.jpg"

    def is_trainings(self) -> bool:
        """Whether `base` already is what training reads."""
        if self.kind != "splits":
            return False
        names = {folder[-1] for folder in self.splits.values() if len(folder) == len(self.base) + 1}
        return all(names & {split, *ALSO_CALLED.get(split, ())} for split in SPLITS)

    def split_of(self, photo: Parts) -> str:
        """The split whose folder the photo is in; empty if it is in none."""
        return split_word(self.place_of(photo))

    def place_of(self, photo: Parts) -> str:
        """The name of the split's folder that the photo is in; empty if it is in none."""
        return next((name for name, folder in self.splits.items() if photo[: len(folder)] == folder), "")

    def breed_of(self, photo: Parts) -> str:
        """The label that the photo's place or name gives it, as it is written there; empty if there is none."""
        if self.kind == "names":
            match = OXFORD.fullmatch(photo[-1])
            return match["breed"] if match and photo[:-1] == self.base else ""
        base = next((f for f in self.splits.values() if photo[: len(f)] == f), () if self.splits else self.base)
        if self.kind == "tables" or (self.splits and not base) or len(photo) != len(base) + 2:
            return ""
        return photo[-2] if photo[: len(base)] == base else ""


def split_word(name: str) -> str:
    """The split that the folder's name means; empty if it means none."""
    return SPLIT_WORDS.get(name.casefold(), "")


def is_annotation(photo: Parts) -> bool:
    """Whether the file is in a folder of annotations, and so is no photo."""
    return any(_ANNOTATIONS.fullmatch(folder) for folder in photo[:-1])


def recognised(tree: Tree) -> Layout | None:
    """The layout of the photos in the tree, or None if it is none of the known ones. Reads the heads of tables."""
    photos = [photo for photo in tree.photos if not is_annotation(photo)]
    base = _descend(photos, ())
    below = [photo for photo in photos if photo[: len(base)] == base]
    within = Counter(photo[len(base)] for photo in below if len(photo) > len(base) + 1)
    in_splits = {name: count for name, count in within.items() if split_word(name)}
    if 2 * sum(in_splits.values()) > len(below):
        splits = {
            name: _descend([photo for photo in below if photo[len(base)] == name], (*base, name), keep_breeds=True)
            for name in sorted(in_splits, key=lambda name: (SPLITS.index(split_word(name)), name))
        }
        layout = Layout(kind="splits", base=base, splits=splits)
        breeds = {breed for photo in below if (breed := layout.breed_of(photo))}
        if breeds:
            labelled = {layout.place_of(photo) for photo in below if layout.breed_of(photo)}
            splits = {name: folder for name, folder in splits.items() if name in labelled}
            return Layout(kind="splits", base=base, splits=splits, breeds=len(breeds), known_as=_known_as(breeds))
        return _by_tables(tree, base, splits)
    breeds = {photo[len(base)] for photo in below if len(photo) == len(base) + 2}
    if len(breeds) > 1:
        return Layout(kind="breeds", base=base, splits={}, breeds=len(breeds), known_as=_known_as(breeds))
    if by_tables := _by_tables(tree, base, {}):
        return by_tables
    labels = {match["breed"] for photo in below if (match := OXFORD.fullmatch(photo[-1]))}
    if len(labels) > 1 and (*base[:-1], "annotations") in tree.folders:
        return Layout(kind="names", base=base, splits={}, known_as="Oxford-IIIT Pet")
    return None


class Remedy(NamedTuple):
    """What to do about a folder that training cannot read."""

    sentences: str = ""
    is_known: bool = False
    """Whether the sentences name a known layout, which explains whatever training finds missing."""


def remedy(folder: Path) -> Remedy:
    """For an error about a folder that training cannot read: the layout that it has, and what to do.

    Empty if the folder has training's layout, or a single breed, which no command can correct.

    Raises OSError if the folder cannot be read.
    """
    tree = walk(folder, most=_MOST_ENTRIES)
    if tree is None:
        return Remedy("It has too many files to look for a known layout; name the folder of the photos alone.")
    layout = recognised(tree)
    if layout is None:
        return Remedy(f"Its layout is not a known one. {what_it_has(tree)}")
    if layout.base and layout.is_trainings():
        return Remedy(f"Its folder {folder.joinpath(*layout.base)} has them: name that folder.", is_known=True)
    if layout.is_trainings() or layout.breeds == 1:
        return Remedy()  # not the layout is wrong
    return Remedy(f"It looks like {layout}. Convert it with: {split_command(folder)}", is_known=True)


def what_it_has(tree: Tree) -> str:
    """Sentences for an error about a folder whose layout is not a known one."""
    table = "" if tree.folders else "If a table has the labels, name a folder that contains it and the photos. "
    return f"{table}`kennel data split -h` lists the layouts that can be converted. It has:\n{tree.top()}"


def split_command(folder: Path) -> str:
    """The command that converts the folder, with a new folder for the result."""
    names = ("dogImages", f"{folder.resolve().name}-split", *(f"dogImages-{number}" for number in range(2, 1000)))
    free = next((name for name in names if not Path(name).exists()), names[-1])
    return f"kennel data split {shlex.quote(str(folder))} {shlex.quote(free)}"


def _descend(photos: Sequence[Parts], base: Parts, *, keep_breeds: bool = False) -> Parts:
    """The first folder below `base` that is more than a wrapping: it has photos, or several folders with photos.

    A few photos beside the only folder, such as a preview, do not count. A folder of a split is not a wrapping, and
    with `keep_breeds` neither is one that has no folders of its own.
    """
    while True:
        deeper = [photo for photo in photos if len(photo) > len(base) + 1]
        names = {photo[len(base)] for photo in deeper}
        if len(names) != 1 or 20 * (len(photos) - len(deeper)) > len(deeper):
            return base
        (name,) = names
        if not keep_breeds and split_word(name):
            return base
        if keep_breeds and not any(len(photo) > len(base) + 2 for photo in deeper):
            return base
        photos, base = deeper, (*base, name)


def _by_tables(tree: Tree, base: Parts, splits: dict[str, Parts]) -> Layout | None:
    tables = []
    for parts in tree.tables:
        table = label_table(tree, parts)
        if table:
            tables.append(table)
    if not tables:
        return None
    competition = any(table.parts[-1] == "labels.csv" and table.columns == ("id", "breed") for table in tables)
    name = "Kaggle's dog breed identification" if competition else ""
    return Layout(kind="tables", base=base, splits=splits, tables=tables, known_as=name)


def _known_as(breeds: Iterable[str]) -> str:
    names = list(breeds)
    for pattern, name in ((STANFORD, "Stanford Dogs"), (TSINGHUA, "Tsinghua Dogs")):
        if all(pattern.match(breed) for breed in names):
            return name
    return ""
