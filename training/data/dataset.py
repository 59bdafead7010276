"""The photos of a data folder: their breeds, their splits, and which of them cannot be used."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import contract.photos
from contract.photos import ALSO_CALLED, PhotoFile
from training.data.cores import cores
from training.data.folders import Fault, folder_of, read_folders

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

    not_read: Mapping[str, int] = field(default_factory=dict)
    """Files in the breeds' folders that are not taken for photos, by suffix. No process reads them."""

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


def _split_of(name: str) -> str:
    return next((split for split, others in ALSO_CALLED.items() if name in others), name)


def scan(folder: Path, *, links_to: Path | None = None) -> DataSet:
    """List a data folder in the ImageFolder or the Udacity `dogImages` layout. No photo is opened.

    If there is no `valid/`, `val/` or `validation/` is read instead: names and digest are the same.

    Raises DataError for a missing or empty folder or split, fewer than two breeds, a breed that `train` lacks, two
    folders of one breed, a name that cannot be printed, a folder that cannot be read, or a symbolic link that leads out
    of the folder and not into `links_to`.
    """
    data, faults = inspect(folder, links_to=links_to)
    if faults:
        sentence = faults[0].sentence
        if len(faults) > 1:
            gap = "\n" if "\n" in sentence else " "
            sentence += f"{gap}(Other errors: {len(faults) - 1}; `kennel data check` lists them.)"
        raise DataError(sentence)
    return data


def inspect(folder: Path, *, links_to: Path | None = None) -> tuple[DataSet, Sequence[Fault]]:
    """What `scan` lists, with everything for which it would raise DataError. Then some splits may have no photos."""
    found = read_folders(folder, links_to=links_to)
    splits = {split: [Photo(path, label) for path, label in photos] for split, photos in found.photos.items()}
    labels = _labels(found.breeds)
    return DataSet(folder=folder, labels=labels, splits=splits, not_read=dict(found.not_read)), found.faults


def _labels(folders: Sequence[str]) -> tuple[str, ...]:
    """The names of the folders, without the numbers of the Udacity layout (`001.Affenpinscher`)."""
    names = tuple(_UDACITY_PREFIX.sub("", name) for name in folders)
    return names if len(set(names)) == len(names) else tuple(folders)
