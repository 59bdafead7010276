"""Is a folder of photos fit to train on? Every photo is opened, and what is found is sorted by what it spoils."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from contract.photos import SPLITS
from inference.classifier import usable_cores
from inference.photo.preprocessing import Preprocessing
from ops.data.near_duplicates import Fingerprint, fingerprint, twins
from ops.data.unread import Unread, unread
from training.data.dataset import DataSet, Photo, read, scan

Severity = Literal["error", "warning"]

FEWEST = 10
"""Training photos of a breed, under which little can be learnt of it."""
MOST_UNEVEN = 10.0
"""Photos of the largest breed for one of the smallest."""
TINY = Preprocessing().crop // 2
"""Pixels of the shorter side. The network's input is then scaled up more than twice."""
MOST_SKIPPED = 0.05
"""Share of a split that may be unusable before something is wrong with the copy, not with a photo."""
LOOKED_AT = 96
"""Pixels of the shorter side at which photos are looked at here."""
_GREY = 8
"""Of 255: how far red, green and blue may be apart in a photo without colour, which JPEG does not keep exactly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that the operator should know, with all the photos that it is about."""

    severity: Severity
    code: str
    """A stable word for programs."""
    summary: str
    """One sentence: what is wrong, how many, and what to do."""
    photos: Sequence[Sequence[str]] = ()
    """Names (split/breed/file), one to a group, or those that show the same together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What a folder holds, and what is wrong with it."""

    data: DataSet
    findings: Sequence[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing was found that would spoil a training."""
        return all(finding.severity != "error" for finding in self.findings)

    def counts(self) -> dict[str, dict[str, int]]:
        """Photos by breed and split."""
        table = {label: dict.fromkeys(SPLITS, 0) for label in self.data.labels}
        for split, photos in self.data.splits.items():
            for photo in photos:
                table[self.data.labels[photo.label]][split] += 1
        return table


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What was learnt of one photo that can be used."""

    name: str
    split: str
    label: int
    shorter_side: int
    grey: bool
    sha256: str
    mark: Fingerprint


def check(folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Check:
    """Open every photo of `folder`, in the ImageFolder or the Udacity layout, and say what would spoil a training.

    `progress(done, total)` counts photos and is called in this thread. Raises DataError where the folder is no data
    folder at all.
    """
    data = scan(folder)
    photos = [photo for split in SPLITS for photo in data.splits[split]]
    seen: list[_Seen] = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for done, each in enumerate(pool.map(lambda photo: _look(data, photo), photos), start=1):
                seen += [each] if each else []
                if progress:
                    progress(done, len(photos))
        finally:
            pool.shutdown(cancel_futures=True)
    findings = [*_unusable(data), *_same(seen), *_balance(data), *_poor(seen), *_unread(unread(folder))]
    return Check(data=data, findings=sorted(findings, key=lambda finding: finding.severity != "error"))


def smaller(image: Image.Image) -> Image.Image:
    """As it is looked at."""
    image = image.copy()
    image.thumbnail((2 * LOOKED_AT, 2 * LOOKED_AT), Image.Resampling.BILINEAR)
    return image


def _look(data: DataSet, photo: Photo) -> _Seen | None:
    image = read(data, photo, shorter_side=LOOKED_AT)
    if image is None:
        return None
    content = photo.path.read_bytes()
    with Image.open(io.BytesIO(content)) as header:
        shorter_side = min(header.size)
    image = smaller(image)
    channels = np.asarray(image, dtype=np.int16)
    apart = channels.max(axis=2) - channels.min(axis=2)
    return _Seen(
        name=data.name(photo),
        split=data.name(photo).partition("/")[0],
        label=photo.label,
        shorter_side=shorter_side,
        grey=bool(np.percentile(apart, 99) <= _GREY),
        sha256=hashlib.sha256(content).hexdigest(),
        mark=fingerprint(image),
    )


def _unusable(data: DataSet) -> Iterator[Finding]:
    left = Counter(photo.label for photo in data.used("train"))
    gone = [data.labels[label] for label in range(len(data.labels)) if not left[label]]
    if gone:
        yield _error("no_usable_photos", f"Not one training photo of {_listed(gone)} can be used; replace them.")
    for split in SPLITS:
        count, total = len(data.splits[split]) - len(data.used(split)), len(data.splits[split])
        if count > MOST_SKIPPED * total:
            what = (
                f"{count} of {total} photos in {split}/ are unusable, which no stray photo explains; copy them again."
            )
            yield _error("many_unusable", what)
    if data.skipped:
        reasons = [[f"{name}: {reason}"] for name, reason in sorted(data.skipped.items())]
        yield _warning("unusable", f"{_many(reasons)} unusable; training passes over them.", reasons)
    if data.truncated:
        notes = [[f"{name}: {note}"] for name, note in sorted(data.truncated.items())]
        yield _warning("truncated", f"{_many(notes)} cut off; training uses what there is.", notes)


def _same(seen: Sequence[_Seen]) -> Iterator[Finding]:
    """Groups of photos that show the same; a group across splits is a leak, and one across breeds a contradiction."""
    bytes_of: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(seen):
        bytes_of[each.sha256].append(index)
    exact = [group for group in bytes_of.values() if len(group) > 1]
    first = [group[0] for group in bytes_of.values()]
    close = [[first[a], first[b]] for a, b in twins([seen[index].mark for index in first])]
    for how, groups in (("identical", exact), ("nearly identical", close)):
        names: dict[str, list[list[str]]] = {"label": [], "leak": [], "repeat": []}
        for group in groups:
            labels, splits = {seen[i].label for i in group}, {seen[i].split for i in group}
            kind = "label" if len(labels) > 1 else "leak" if len(splits) > 1 else "repeat"
            names[kind].append([seen[i].name for i in group])
        code = how.partition(" ")[0]
        if found := names["label"]:
            what = f"{_groups(found)} of {how} photos under two breeds; at most one can be right."
            yield (_error if code == "identical" else _warning)(f"{code}_labels", what, found)
        if found := names["leak"]:
            what = f"{_groups(found)} of {how} photos in two splits: what was learnt is asked; keep them in one."
            yield _error(f"{code}_leak", what, found)
        if found := names["repeat"]:
            yield _warning(
                f"{code}_repeat", f"{_groups(found)} of {how} photos within a split; one of each will do.", found
            )


def _balance(data: DataSet) -> Iterator[Finding]:
    counts = {split: Counter(photo.label for photo in data.used(split)) for split in SPLITS}
    train = counts["train"]
    few = [[f"{data.labels[label]} ({count})"] for label, count in sorted(train.items()) if count < FEWEST]
    if few:
        yield _warning("few_photos", f"{_breeds(few)} fewer than {FEWEST} training photos; add some.", few)
    largest = max(train, key=train.__getitem__, default=0)
    smallest = min(train, key=train.__getitem__, default=0)
    if train[largest] > MOST_UNEVEN * train[smallest]:
        what = (
            f"{data.labels[largest]} has {train[largest]} training photos and {data.labels[smallest]} "
            f"{train[smallest]}; the rare one will seldom be named."
        )
        yield _warning("imbalance", what)
    for split in SPLITS[1:]:
        absent = [[breed] for label, breed in enumerate(data.labels) if not counts[split][label]]
        if absent:
            yield _warning(f"no_{split}", f"{_breeds(absent)} no photo in {split}/; nothing judges it there.", absent)


def _poor(seen: Sequence[_Seen]) -> Iterator[Finding]:
    tiny = [[each.name] for each in seen if each.shorter_side < TINY]
    if tiny:
        yield _warning("tiny", f"{_many(tiny)} under {TINY} pixels on the shorter side; larger ones show more.", tiny)
    grey = [[each.name] for each in seen if each.grey]
    if grey:
        yield _warning("greyscale", f"{_many(grey)} without colour; callers send few such.", grey)


def _unread(found: Unread) -> Iterator[Finding]:
    if found.unknown:
        kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in found.suffixes().most_common()]
        what = (
            f"{_files(found.unknown)} of a kind that is not read ({_listed(kinds)}); save photos among them as JPEG, "
            "PNG or WebP."
        )
        yield _warning("unknown_files", what, [[name] for name in found.unknown])
    if found.astray:
        places = [f"{count} in {place}/" for place, count in found.folders().most_common()]
        what = (
            f"{_many(found.astray)} not directly in a breed's folder and not read ({_listed(places)}); move each into "
            "its breed's folder."
        )
        yield _warning("astray", what, [[name] for name in found.astray])
    if found.dangling:
        what = f"{_many(found.dangling)} links to nothing; copy the photos themselves."
        yield _warning("dangling", what, [[name] for name in found.dangling])


def _error(code: str, summary: str, photos: Sequence[Sequence[str]] = ()) -> Finding:
    return Finding(severity="error", code=code, summary=summary, photos=photos)


def _warning(code: str, summary: str, photos: Sequence[Sequence[str]] = ()) -> Finding:
    return Finding(severity="warning", code=code, summary=summary, photos=photos)


def _many(photos: Sequence[object]) -> str:
    return "1 photo is" if len(photos) == 1 else f"{len(photos)} photos are"


def _files(files: Sequence[object]) -> str:
    return "1 file is" if len(files) == 1 else f"{len(files)} files are"


def _breeds(breeds: Sequence[object]) -> str:
    return "1 breed has" if len(breeds) == 1 else f"{len(breeds)} breeds have"


def _groups(found: Sequence[object]) -> str:
    return "1 group" if len(found) == 1 else f"{len(found)} groups"


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
