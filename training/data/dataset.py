"""The photos of a data folder: their breeds, their splits, and which of them cannot be used."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import contract.photos
from contract.names import is_passed_over, same_breed_twice, same_text
from contract.photos import ALSO_CALLED, SPLITS, SUFFIXES, PhotoFile, is_photo_file
from inference.printable import is_printable
from training.data import layouts
from training.data.cores import cores

_KINDS = ", ".join(sorted(SUFFIXES))
_UDACITY_PREFIX = re.compile(r"^\d{3}\.(?=.)")


class DataError(Exception):
    """A data folder cannot be used for training. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Photo:
    path: Path
    label: int
    """Index into DataSet.labels."""


@dataclass(slots=True)
class DataSet:
    """A scanned data folder."""

    folder: Path
    labels: tuple[str, ...]
    """Breed names in the order of their folders, in the form NFC."""
    splits: dict[str, list[Photo]]
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that cannot be used: name to reason. Filled when photos are decoded."""
    truncated: dict[str, str] = field(default_factory=dict)
    """Truncated training photos that are used: name to the share that is present. Filled when photos are decoded."""

    _digest: str = ""

    def digest(self) -> str:
        """`contract.photos.digest` of all photos. The first call reads each of them, on all cores of this process."""
        if not self._digest:
            every = [photo for photos in self.splits.values() for photo in photos]
            with ThreadPoolExecutor(cores()) as pool:
                self._digest = contract.photos.digest(pool.map(self._file, every))
        return self._digest

    def _file(self, photo: Photo) -> PhotoFile:
        try:
            with photo.path.open("rb") as content:
                md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                return PhotoFile(self.name(photo), content.tell(), md5)
        except OSError:  # training skips it
            return PhotoFile(self.name(photo), 0, "unreadable")

    def name(self, photo: Photo) -> str:
        """split/breed/file, as in the data folder and in the bucket. A folder val/ is named valid/."""
        folder, _, rest = photo.path.relative_to(self.folder).as_posix().partition("/")
        return f"{_split_of(folder)}/{rest}"

    def path(self, name: str) -> Path:
        """The file of a photo, by the photo's name."""
        split, _, rest = name.partition("/")
        return folder_of(self.folder, split) / rest

    def used(self, split: str) -> list[Photo]:
        """The photos of a split without those that were skipped."""
        return [photo for photo in self.splits[split] if self.name(photo) not in self.skipped]

    def check_usable(self) -> None:
        """Raise DataError if all photos of a split, or all training photos of a breed, were skipped."""
        for split in self.splits:
            if not self.used(split):
                raise DataError(
                    f"No photo in {split}/ can be decoded; the log lists the skipped photos with their reasons."
                )
        left = {photo.label for photo in self.used("train")}
        for label, breed in enumerate(self.labels):
            if label not in left:
                raise DataError(
                    f"No photo of {breed} in train/ can be decoded; replace the photos or remove the breed's folders."
                )


def folder_of(folder: Path, split: str) -> Path:
    """The folder of a split within a data folder. The split's own name is preferred to its other names."""
    present = [name for name in (split, *ALSO_CALLED.get(split, ())) if (folder / name).is_dir()]
    return folder / contract.photos.folder_of(split, present)


def _split_of(name: str) -> str:
    return next((split for split, others in ALSO_CALLED.items() if name in others), name)


def scan(folder: Path) -> DataSet:
    """List a data folder in the ImageFolder or the Udacity `dogImages` layout. No photo is opened.

    If there is no `valid/`, `val/` or `validation/` is read instead: names and digest are the same.

    Raises DataError for a missing or empty folder or split, fewer than two breeds, or a breed that `train` lacks.
    """
    try:
        return _scan(folder)
    except OSError as error:
        raise DataError(f"The data folder {folder} cannot be read: {error}.") from error


def _scan(folder: Path) -> DataSet:
    if not folder.is_dir():
        raise DataError(
            f"The data folder {folder} does not exist; name a folder that contains train/, valid/ and test/."
        )
    missing = _missing(folder)
    if missing:
        raise DataError(
            f"The data folder {folder} has no {' and no '.join(missing)} folder; it needs train/, valid/ and test/, "
            f"each with one folder of photos per breed.{_remedy(folder)}"
        )
    folders = [path.name for path in _breeds(folder / "train")]
    if len(folders) < 2:
        found = f"only the breed {folders[0]}" if folders else "no breed"
        raise DataError(
            f"{folder}/train contains {found}; a classifier needs two or more breeds, each with a folder of photos."
            f"{_remedy(folder)}"
        )
    index = {same_text(name): position for position, name in enumerate(folders)}
    splits = {split: list(_photos(folder, split, index)) for split in SPLITS}
    _check_counts(folder, folders, splits)
    return DataSet(folder=folder, labels=_labels(folders), splits=splits)


def _missing(folder: Path) -> list[str]:
    return [split for split in SPLITS if not folder_of(folder, split).is_dir()]


def _remedy(folder: Path) -> str:
    """What to do about a folder in another layout, after a space."""
    above = folder.absolute().parent
    if folder.name in SPLITS and not _missing(above):
        return f" Name the folder {above} that has them."
    remedy = layouts.remedy(folder)
    return f" {remedy}" if remedy else ""


def _breeds(split: Path) -> list[Path]:
    """The folders of breeds. Their order, and so the training, does not depend on the form in which a disk has é.

    Raises DataError if two of them have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(split.iterdir()):
        if path.is_dir() and not is_passed_over(path.name):
            earlier = found.setdefault(same_text(path.name), path)
            if earlier is not path:
                raise DataError(
                    f"{split} has {same_breed_twice(earlier.name, path.name)} Move the photos into one of them."
                )
    return [found[name] for name in sorted(found)]


def _photos(folder: Path, split: str, index: dict[str, int]) -> Iterable[Photo]:
    place = folder_of(folder, split)
    for breed in _breeds(place):
        label = index.get(same_text(breed.name))
        if label is None:
            raise DataError(
                f"{place.name}/ has the breed {breed.name}, but train/ has no photos of it; add some there, or remove "
                f"the breed from {place.name}/."
            )
        for path in sorted(breed.iterdir(), key=lambda path: (same_text(path.name), path.name)):
            if is_photo_file(path.name) and path.is_file():
                yield Photo(path, label)


def _check_counts(folder: Path, breeds: Sequence[str], splits: dict[str, list[Photo]]) -> None:
    for split, photos in splits.items():
        if not photos:
            raise DataError(
                f"{folder_of(folder, split)} contains no photos ({_KINDS}); add some for every breed.{_remedy(folder)}"
            )
    present = {photo.label for photo in splits["train"]}
    empty = [name for position, name in enumerate(breeds) if position not in present]
    if empty:
        raise DataError(
            f"{folder}/train/{empty[0]} contains no photos ({_KINDS}); add some or remove the folder. "
            f"(Folders without photos: {len(empty)}.)"
        )


def _labels(folders: Sequence[str]) -> tuple[str, ...]:
    """The names of the folders, without the numbers of the Udacity layout (`001.Affenpinscher`)."""
    for name in folders:
        if not is_printable(name):  # includes bytes that are not UTF-8; serving refuses an artifact with such a label
            raise DataError(f"The breed folder {name!r} has a name that cannot be printed; rename it in every split.")
    whole = tuple(map(same_text, folders))
    names = tuple(_UDACITY_PREFIX.sub("", name) for name in whole)
    return names if len(set(names)) == len(names) else whole
