"""Tables of labels, such as Kaggle's labels.csv: which column names the photo, and which its breed."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.tree import Parts, Tree

PHOTO_COLUMNS = (
    "id",
    "image_id",
    "imageid",
    "image",
    "filename",
    "file_name",
    "filepath",
    "filepaths",
    "image_path",
    "image_name",
    "path",
    "file",
    "photo",
    "img",
    "name",
)
"""Names of the column with the photo, the preferred one first, in lower case and with _ for a space or a hyphen."""
BREED_COLUMNS = ("breed", "breed_name", "dog_breed", "label", "labels", "class_name", "class", "category")
SPLIT_COLUMNS = ("split", "data_set", "dataset", "subset", "set")
_DELIMITERS = (",", ";", "\t", "|")
_HEAD = 65_536
"""Bytes in which the header is looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTable:
    """A table with one photo and its breed in each row."""

    parts: Parts
    delimiter: str
    photo: int
    """Position of the column that names the photo."""
    breed: int
    split: int | None
    columns: tuple[str, str]
    """The names of both columns; empty in a table without a header."""

    def rows(self, root: Path) -> Iterator[tuple[str, str, str]]:
        """Photo, breed and split (empty without such a column) of each row, as written there.

        Raises OSError, UnicodeDecodeError and csv.Error for a table that cannot be read.
        """
        path = root.joinpath(*self.parts)
        with path.open("rb") as raw:
            encoding = _encoding(raw.read(4))
        with path.open(encoding=encoding, newline="") as text:
            rows = csv.reader(text, delimiter=self.delimiter)
            if any(self.columns):
                next((row for row in rows if any(row)), None)
            for row in rows:
                cells = [cell.strip() for cell in row]
                if len(cells) > max(self.photo, self.breed) and cells[self.photo]:
                    split = cells[self.split] if self.split is not None and self.split < len(cells) else ""
                    yield cells[self.photo], cells[self.breed], split


def label_table(tree: Tree, parts: Parts) -> LabelTable | None:
    """The columns of a table in the tree, or None if it has no column for the photo or none for the breed.

    A table without a header is read if it has two columns and the first names a photo of the tree.
    """
    for delimiter in _DELIMITERS:
        header = _first_row(tree.root.joinpath(*parts), delimiter)
        names = [cell.strip().casefold().replace(" ", "_").replace("-", "_") for cell in header]
        photo, breed = _first_of(PHOTO_COLUMNS, names), _first_of(BREED_COLUMNS, names)
        if photo is not None and breed is not None:
            split = _first_of(SPLIT_COLUMNS, names)
            columns = (names[photo], names[breed])
            return LabelTable(parts=parts, delimiter=delimiter, photo=photo, breed=breed, split=split, columns=columns)
        if len(header) == 2 and PhotoNames(tree.photos).find(header[0].strip()):
            return LabelTable(parts=parts, delimiter=delimiter, photo=0, breed=1, split=None, columns=("", ""))
    return None


class PhotoNames:
    """Finds the photos that a table means: by path, by file name, or by file name without its suffix."""

    def __init__(self, photos: list[Parts]) -> None:
        self._found: dict[str, list[Parts]] = {}
        for photo in photos:
            stem = photo[-1].rpartition(".")[0]
            for name in {photo[-1], stem, "/".join(photo)}:
                self._found.setdefault(name, []).append(photo)

    def find(self, name: str) -> list[Parts]:
        """The photos that `name` may mean. A path, such as train/000bec.jpg, may begin in any folder of the tree."""
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        if not parts:
            return []
        found = self._found.get("/".join(parts), []) or self._found.get(parts[-1], [])
        if len(parts) > 1 and len(found) > 1:
            above = parts[:-1]
            found = [photo for photo in found if photo[:-1][-len(above) :] == above] or found
        return found


def _first_row(path: Path, delimiter: str) -> list[str]:
    try:
        with path.open("rb") as raw:
            head = raw.read(_HEAD)
        text = head.decode(_encoding(head), errors="replace")
        return next((row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)), [])
    except (OSError, csv.Error):
        return []


def _encoding(head: bytes) -> str:
    """Spreadsheets write UTF-16 with its mark, or UTF-8 with one. Everything else is read as UTF-8."""
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _first_of(wanted: tuple[str, ...], names: list[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)
