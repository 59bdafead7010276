"""The folders of a data set, split/breed/photo, and everything that is wrong with them. No photo is opened."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import contract.photos
from contract.names import alike, code_points, is_passed_over, same_breed_twice, same_text
from contract.photos import ALSO_CALLED, SPLITS, SUFFIXES, is_photo_file
from contract.text import printable
from inference.printable import is_printable
from training.data import layouts
from training.data.links import Links

_KINDS = ", ".join(sorted(SUFFIXES))
_MOST_SUFFIXES = 10
"""That are named. A suffix is whatever follows the last dot of a name."""
_OF_THE_LAYOUT = ("missing_splits", "few_breeds", "empty_split")
"""Codes of faults that another layout explains. The first one of a folder names that layout."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason why a folder cannot be used for training."""

    code: str
    """A name for programs, which does not change."""
    sentence: str
    """What is wrong with which folder, and the remedy."""
    names: Sequence[str] = ()
    """All folders that have this fault, if there can be several."""
    names_layout: bool = False
    """Whether the sentence names the known layout that the folder has instead of training's."""


@dataclass(slots=True)
class Folders:
    """What was found in a data folder."""

    breeds: list[str] = field(default_factory=list)
    """Names of folders in the form NFC and in order: those in `train`, then those that only another split has."""
    trained: int = 0
    """How many of them are in `train`."""
    not_read: Counter[str] = field(default_factory=Counter)
    """Files in the breeds' folders that are not taken for photos, by suffix in lower case; `no-suffix` without one."""
    photos: dict[str, list[tuple[Path, int]]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    """By split: each photo with the index of its breed."""
    has_other_layout: bool = False
    """Whether a fault names the known layout of the folder. No other fault has a code in `_OF_THE_LAYOUT` then."""
    faults: list[Fault] = field(default_factory=list)
    """Empty for a folder that can be used for training. The first one explains most."""

    def add(self, code: str, sentence: str, names: Sequence[str] = ()) -> None:
        """Add a fault. names: the folders that have it, of which the sentence names the first."""
        count = f" (Such folders: {len(names)}.)" if len(names) > 1 else ""
        self.faults.append(Fault(code, f"{sentence}{count}", names))


def folder_of(folder: Path, split: str) -> Path:
    """The folder of a split within a data folder. The split's own name is preferred to its other names."""
    present = [name for name in (split, *ALSO_CALLED.get(split, ())) if (folder / name).is_dir()]
    return folder / contract.photos.folder_of(split, present)


def read_folders(folder: Path, *, links_to: Path | None = None) -> Folders:
    """List the ImageFolder or the Udacity `dogImages` layout. What cannot be read is a fault, and raises nothing.

    A symbolic link that leads out of `folder` is a fault too, unless it leads into `links_to`.
    """
    found = Folders()
    links = Links(folder, links_to)
    try:
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            sentence = (
                f"The data folder {printable(folder)} {what}; name a folder that contains train/, valid/ and test/."
            )
            found.add("no_folder", sentence)
        elif missing := _missing(folder):
            sentence = (
                f"The data folder {printable(folder)} has no {' and no '.join(missing)} folder; it needs train/, "
                f"valid/ and test/, each with one folder of photos per breed.{_remedy(folder, found)}"
            )
            found.add("missing_splits", sentence, [])
        places = {split: place for split in SPLITS if (place := folder_of(folder, split)).is_dir()}
    except OSError as error:
        found.add("unreadable", f"The data folder {printable(folder)} cannot be read: {printable(error)}.")
        return found
    for split, place in places.items():  # train first: it decides which breeds there are
        try:
            if not links.leads_out(place):
                _read_split(place, split, found, links)
        except OSError as error:  # its folders can be listed and not entered
            found.add("unreadable", f"{printable(place)} cannot be read: {printable(error)}.")
    if links.refused:
        path, outside = links.refused[0], [str(path) for path in links.refused]
        sentence = (
            f"{printable(path)} is a link to {printable(path.resolve())}, outside the data folder, so it is not read. "
            f"{links.remedy()}"
        )
        count = f" (Such links: {len(outside)}.)" if len(outside) > 1 else ""
        found.faults.insert(0, Fault("link_out_of_the_folder", f"{sentence}{count}", outside))
    if found.has_other_layout:
        layout = next(fault for fault in found.faults if fault.code in _OF_THE_LAYOUT)
        found.faults = [
            replace(fault, names_layout=fault is layout)
            for fault in found.faults
            if fault is layout or fault.code not in _OF_THE_LAYOUT
        ]
    return found


def _read_split(place: Path, split: str, found: Folders, links: Links) -> None:
    refused: dict[str, OSError] = {}
    breeds = [breed for breed in _breeds(place, found, refused) if not links.leads_out(breed)]
    if split == "train":
        found.breeds = [same_text(breed.name) for breed in breeds]
        found.trained = len(breeds)
        if len(breeds) < 2 and not refused and not links.refused:
            what = f"only the breed {printable(breeds[0].name)}" if breeds else "no breed"
            sentence = (
                f"{printable(place)} contains {what}; a classifier needs two or more breeds, each with a folder of "
                f"photos.{_remedy(place.parent, found)}"
            )
            found.add("few_breeds", sentence)
    elif found.trained:
        _find_untrained(place, breeds, found)
    index = {breed: number for number, breed in enumerate(found.breeds)}
    empty, of_split = [], Counter[str]()
    for breed in breeds:
        label = index.setdefault(same_text(breed.name), len(index))
        found.breeds += [same_text(breed.name)] if label == len(found.breeds) else []
        listed = _listed(breed, refused)
        files = [path for path in listed if is_photo_file(path.name) and path.is_file()]
        photos = [path for path in files if not links.leads_out(path)]
        of_split += _others(listed)
        photos.sort(key=lambda path: (same_text(path.name), path.name))
        found.photos[split] += [(path, label) for path in photos]
        if not files and str(breed) not in refused:
            empty.append(str(breed))
    found.not_read += of_split
    if refused:
        first, error = next(iter(refused.items()))
        found.add(
            "unreadable",
            f"The folder {printable(first)} cannot be read ({error.strerror}); correct its permissions.",
            list(refused),
        )
    elif not found.photos[split] and not links.refused:
        remedy = _remedy(place.parent, found)
        found.add(
            "empty_split",
            f"{printable(place)} contains no photos ({_KINDS}){_but(of_split)}; add some for every breed.{remedy}",
        )
    elif split == "train" and empty:
        but = _but(_others(_listed(Path(empty[0]), refused)))
        sentence = f"{printable(empty[0])} contains no photos ({_KINDS}){but}; add some or remove the folder."
        found.add("empty_breeds", sentence, empty)


def _others(paths: Sequence[Path]) -> Counter[str]:
    others = [path for path in paths if not is_passed_over(path.name) and not is_photo_file(path.name)]
    return Counter(path.suffix.lower() or "no-suffix" for path in others if path.is_file())


def _but(others: Counter[str]) -> str:
    return f" but other files ({printable(by_suffix(others))})" if others else ""


def by_suffix(files: Mapping[str, int]) -> str:
    """Such as `.gif:12 .heic:3`: the number of files by suffix, the most frequent first."""
    ordered = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    more = sum(count for _, count in ordered[_MOST_SUFFIXES:])
    return " ".join(
        [*(f"{suffix}:{count}" for suffix, count in ordered[:_MOST_SUFFIXES]), *([f"others:{more}"] * bool(more))]
    )


def _missing(folder: Path) -> list[str]:
    return [split for split in SPLITS if not folder_of(folder, split).is_dir()]


def _remedy(folder: Path, found: Folders) -> str:
    """What to do about a folder in another layout, after a space. Empty if an earlier fault has said it."""
    if any(fault.code in _OF_THE_LAYOUT for fault in found.faults):
        return ""
    above = folder.absolute().parent
    if folder.name in SPLITS and not _missing(above):
        return f" Name the folder {printable(above)} that has them."
    remedy, found.has_other_layout = layouts.remedy(folder)
    return f" {remedy}" if remedy else ""


def _breeds(place: Path, found: Folders, refused: dict[str, OSError]) -> list[Path]:
    """The folders of breeds. Their order, and so the training, does not depend on the form in which a disk has é."""
    first: dict[str, Path] = {}
    twice: dict[str, list[str]] = {}
    unprintable = []
    for path in _listed(place, refused):
        if is_passed_over(path.name) or not path.is_dir():
            continue
        if not is_printable(path.name):
            unprintable.append(str(path))
            continue
        earlier = first.setdefault(same_text(path.name), path)
        if earlier is not path:
            twice.setdefault(earlier.name, [earlier.name]).append(path.name)
    for names in twice.values():
        sentence = f"{printable(place)} has {same_breed_twice(*names[:2])} Move the photos into one of them."
        found.add("same_folder", sentence, [])
    if unprintable:
        sentence = (
            f"The breed folder {printable(unprintable[0])} has a name that cannot be shown as it is (a control "
            "character, an invisible one, or bytes that are not UTF-8); rename it in every split."
        )
        found.add("unprintable_name", sentence, unprintable)
    return [first[name] for name in sorted(first)]


def _find_untrained(place: Path, breeds: Sequence[Path], found: Folders) -> None:
    trained = {alike(name): name for name in found.breeds[: found.trained]}
    untrained = [breed.name for breed in breeds if same_text(breed.name) not in found.breeds[: found.trained]]
    if not untrained:
        return
    name = untrained[0]
    special = f" ({code_points(name)})" if code_points(name) else ""
    sentence = (
        f"{place.name}/ has the breed {name}{special}, but train/ has no photos of it; add some there, or remove the "
        f"breed from {place.name}/."
    )
    if near := trained.get(alike(name)):
        sentence += f" If it is {near} of train/, give both folders the same name."
    found.add("untrained_breeds", sentence, untrained)


def _listed(folder: Path, refused: dict[str, OSError]) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        refused[str(folder)] = error
        return []
