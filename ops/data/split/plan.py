"""What a split will write: the split and the name of each photo, and what is left out with which reason."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.photos import SPLITS
from contract.text import printable
from ops.data.split.assignment import Unit, assign
from ops.data.split.errors import SplitError
from ops.data.split.labelled import Source, SourcePhoto, one_name, read_source
from ops.data.split.left_out import COPIES, UNDECODED, UNTRAINED, explain
from ops.data.split.same import Look, groups, look_at
from ops.data.split.shares import Shares

_HELD_OUT = ("test", "valid")
"""A photo that shows the same as one of an earlier split here is left out of the later ones and of train."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A whole split, before anything is written."""

    source: Source
    shares: Shares
    seed: int
    targets: Mapping[str, SourcePhoto]
    """split/breed/file of the result, to the photo of the source."""
    kept_together: int
    """Groups of photos that show the same."""
    drawn: Sequence[str]
    """The splits that were drawn; empty if the source has all of them."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of photos by breed and split."""
        table = {breed: dict.fromkeys(SPLITS, 0) for breed in sorted({photo.breed for photo in self.targets.values()})}
        for name, photo in self.targets.items():
            table[photo.breed][name.partition("/")[0]] += 1
        return table

    def too_small(self) -> list[str]:
        """Breeds that have no photo in some split."""
        return [breed for breed, row in self.counts().items() if not all(row.values())]


def make_plan(folder: Path, *, shares: Shares, seed: int, progress: Callable[[int, int], None] | None = None) -> Plan:
    """Read the data set in `folder` and draw the splits that it does not have. Nothing is written.

    `progress(done, total)` counts photos and is called in this thread. Raises SplitError.
    """
    source = read_source(folder)
    looks = look_at([folder.joinpath(*photo.parts) for photo in source.photos], progress)
    has = source.splits
    drawn = tuple(split for split in SPLITS if split == "train" or split not in has) if has != set(SPLITS) else ()
    usable = _usable(source, looks, fixed=bool(has - {"train"}))
    same = groups([looks[index] for index in usable])
    same = [[usable[position] for position in group] for group in same]
    splits: dict[int, str] = {}
    kept_together = 0
    units, members = [], []
    for group in same:
        held = next((split for split in _HELD_OUT if any(source.photos[index].split == split for index in group)), "")
        if held:
            _leave_copies_out(source, group, held)
            splits |= {index: held for index in group if source.photos[index].split == held}
        elif drawn:
            units.append(_unit(source, looks, group))
            members.append(group)
        else:
            splits |= dict.fromkeys(group, "train")
        kept_together += len(group) > 1
    for number, split in assign(units, shares, seed=seed, splits=drawn).items() if drawn else ():
        splits |= dict.fromkeys(members[number], split)
    _leave_untrained_breeds_out(source, splits)
    _check(source, splits)
    for names in source.left_out.values():
        names.sort()
    return Plan(
        source=source,
        shares=shares,
        seed=seed,
        targets=_targets(source, splits),
        kept_together=kept_together,
        drawn=drawn,
    )


def _usable(source: Source, looks: Sequence[Look], *, fixed: bool) -> list[int]:
    """Photos that can be decoded, and whose content has one breed. `fixed`: the source has more than train."""
    breeds = defaultdict(set)
    for photo, look in zip(source.photos, looks, strict=True):
        breeds[look.sha256].add(photo.breed)
    usable = []
    for index, (photo, look) in enumerate(zip(source.photos, looks, strict=True)):
        if look.problem:
            source.left_out[UNDECODED].append(f"{photo.name}: {look.problem}")
        elif len(breeds[look.sha256]) > 1:
            source.left_out["identical photos under more than one breed"].append(photo.name)
        elif look.is_truncated and fixed and photo.split in _HELD_OUT:
            source.left_out["truncated photos in a split that measures accuracy"].append(photo.name)
        else:
            usable.append(index)
    return usable


def _leave_copies_out(source: Source, group: Sequence[int], held: str) -> None:
    for index in group:
        photo = source.photos[index]
        if photo.split != held:
            source.left_out[f"{COPIES} {held} split"].append(photo.name)


def _unit(source: Source, looks: Sequence[Look], group: Sequence[int]) -> Unit:
    return Unit(
        checksums=[looks[index].sha256 for index in group],
        breeds=Counter(source.photos[index].breed for index in group),
        only_train=any(looks[index].is_truncated for index in group),
    )


def _leave_untrained_breeds_out(source: Source, splits: dict[int, str]) -> None:
    trained = {source.photos[index].breed for index, split in splits.items() if split == "train"}
    for index in sorted(splits):
        photo = source.photos[index]
        if photo.breed not in trained:
            source.left_out[UNTRAINED].append(photo.name)
            del splits[index]


def _check(source: Source, splits: Mapping[int, str]) -> None:
    breeds = {source.photos[index].breed for index in splits}
    missing = [split for split in SPLITS if split not in splits.values()]
    if len(breeds) < 2 or missing:
        what = f"no photo is left for {' and '.join(missing)}" if missing else f"{len(breeds)} breed is left"
        raise SplitError(
            f"{printable(source.folder)} has too few photos: {what} ({len(splits)} photos of {len(breeds)} breeds "
            f"can be used). {explain(source.left_out)}"
        )


def _targets(source: Source, splits: Mapping[int, str]) -> dict[str, SourcePhoto]:
    """The name of each photo in the result. Two photos with one name in one folder stay two."""
    targets: dict[str, SourcePhoto] = {}
    taken = set()
    for index in sorted(splits):  # by name in the source
        photo = source.photos[index]
        name = f"{splits[index]}/{photo.breed}/{photo.parts[-1]}"
        if one_name(name) in taken:
            stem, dot, suffix = name.rpartition(".")
            name = f"{stem}-{hashlib.sha256(photo.name.encode(errors='surrogateescape')).hexdigest()[:8]}{dot}{suffix}"
        taken.add(one_name(name))
        targets[name] = photo
    return targets
