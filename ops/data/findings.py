"""The errors and warnings of `kennel data check`, each as one sentence with the photos that it is about."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from contract.photos import SPLITS
from inference.photo.preprocessing import Preprocessing
from ops.data.measure import Measured
from ops.data.unread import Unread
from training.data.dataset import DataSet

Severity = Literal["error", "warning"]

FEWEST = 10
"""A breed with fewer training photos gets a warning."""
MOST_UNEVEN = 10.0
"""Training photos of the largest breed for each of the smallest, above which there is a warning."""
TINY = Preprocessing().crop // 2
"""Pixels of the shorter side below which a photo gets a warning: the network's input enlarges it more than twice."""
MOST_SKIPPED = 0.05
"""Share of unusable photos in a split, above which the whole copy is suspect and not single photos."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One problem, with all photos that have it."""

    severity: Severity
    code: str
    """A name for programs, which does not change."""
    summary: str
    """One sentence: what is wrong, in how many photos, and what to do."""
    photos: Sequence[Sequence[str]] = ()
    """Names (split/breed/file) in groups. Photos that show the same are one group; any other photo is its own.

    The first two names of a group are those that show the problem best, such as one photo of each split.
    """


def unusable(data: DataSet) -> Iterator[Finding]:
    """Photos that cannot be decoded, or only in part."""
    left = Counter(photo.label for photo in data.used("train"))
    gone = [data.labels[label] for label in sorted({photo.label for photo in data.splits["train"]}) if not left[label]]
    if gone:
        yield error("no_usable_photos", f"No training photo of {_listed(gone)} can be decoded; replace the photos.")
    for split in SPLITS:
        count, total = len(data.splits[split]) - len(data.used(split)), len(data.splits[split])
        if count > MOST_SKIPPED * total:
            reasons = Counter(reason for name, reason in data.skipped.items() if name.startswith(f"{split}/"))
            (most, times), *others = reasons.most_common()
            what = f"{count} of {total} photos in {split}/ cannot be decoded"
            if others:
                what += f", for {1 + len(others)} reasons. The most frequent one, of {times}"
            yield error("many_unusable", f"{what}: {most}")
    if data.skipped:
        lines = [[f"{name}: {reason}"] for name, reason in sorted(data.skipped.items())]
        yield warning("unusable", f"{_photos(lines)} unusable; training skips them.", lines)
    if data.truncated:
        notes = [[f"{name}: {note}"] for name, note in sorted(data.truncated.items())]
        yield warning("truncated", f"{_photos(notes)} truncated; training uses the part that exists.", notes)


def balance(data: DataSet) -> Iterator[Finding]:
    """Breeds with few photos, or with none in a split."""
    counts = {split: Counter(photo.label for photo in data.used(split)) for split in SPLITS}
    train = counts["train"]
    few = [[f"{data.labels[label]} ({count})"] for label, count in sorted(train.items()) if count < FEWEST]
    if few:
        it = "it" if len(few) == 1 else "them"
        yield warning("few_photos", f"{_breeds(few)} fewer than {FEWEST} training photos. Add photos of {it}.", few)
    largest = max(train, key=train.__getitem__, default=0)
    smallest = min(train, key=train.__getitem__, default=0)
    if train[largest] > MOST_UNEVEN * train[smallest]:
        what = (
            f"{data.labels[largest]} has {train[largest]} training photos and {data.labels[smallest]} "
            f"{train[smallest]}, so the model will rarely predict {data.labels[smallest]}; add photos of it."
        )
        yield warning("imbalance", what)
    for split in SPLITS[1:]:
        if not data.splits[split]:
            continue  # an error of the folder itself
        absent = [[breed] for label, breed in enumerate(data.labels) if not counts[split][label]]
        if absent:
            what = f"{_breeds(absent)} no photo in {split}/, so no {split} accuracy is measured for it; add some."
            yield warning(f"no_{split}", what, absent)


def poor_quality(photos: Sequence[Measured]) -> Iterator[Finding]:
    """Photos that show little."""
    tiny = [[photo.name] for photo in photos if photo.shorter_side < TINY]
    if tiny:
        what = f"{_photos(tiny)} smaller than {TINY} pixels on the shorter side; use larger ones if you have them."
        yield warning("tiny", what, tiny)
    grey = [[photo.name] for photo in photos if photo.is_grey]
    if grey:
        yield warning("greyscale", f"{_photos(grey)} greyscale; callers rarely send such photos.", grey)


def not_read(found: Unread) -> Iterator[Finding]:
    """Files that training ignores."""
    if found.unknown:
        kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in found.suffixes().most_common()]
        what = (
            f"{_files(found.unknown)} of a type that training does not read ({_listed(kinds)}); save photos among them "
            "as JPEG, PNG or WebP."
        )
        yield warning("unknown_files", what, [[name] for name in found.unknown])
    if found.misnamed:
        what = (
            f"{_photos(found.misnamed)} named like another type, so training does not read them; give each the suffix "
            ".jpg, .png or .webp."
        )
        yield warning("misnamed", what, [[name] for name in found.misnamed])
    if found.misplaced:
        places = [f"{count} in {place}/" for place, count in found.folders().most_common()]
        what = (
            f"{_photos(found.misplaced)} not directly in a breed's folder of train/, valid/ or test/, so training does "
            f"not read them ({_listed(places)}); move each into its breed's folder there."
        )
        yield warning("misplaced", what, [[name] for name in found.misplaced])
    if found.broken_links:
        is_one = len(found.broken_links) == 1
        names, remedy = (
            ("1 name is", "the photo itself")
            if is_one
            else (f"{len(found.broken_links)} names are", "the photos themselves")
        )
        kind = "a symbolic link to nothing, or no file" if is_one else "symbolic links to nothing, or no files"
        what = f"{names} {kind} (a pipe, a device); copy {remedy}."
        yield warning("broken_links", what, [[name] for name in found.broken_links])


def error(code: str, summary: str, photos: Sequence[Sequence[str]] = ()) -> Finding:
    return Finding(severity="error", code=code, summary=summary, photos=photos)


def warning(code: str, summary: str, photos: Sequence[Sequence[str]] = ()) -> Finding:
    return Finding(severity="warning", code=code, summary=summary, photos=photos)


def _photos(photos: Sequence[object]) -> str:
    return "1 photo is" if len(photos) == 1 else f"{len(photos)} photos are"


def _files(files: Sequence[object]) -> str:
    return "1 file is" if len(files) == 1 else f"{len(files)} files are"


def _breeds(breeds: Sequence[object]) -> str:
    return "1 breed has" if len(breeds) == 1 else f"{len(breeds)} breeds have"


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
