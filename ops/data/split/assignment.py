"""Which photos go into which split: stratified by breed, the same everywhere, and stable when photos are added.

The photos of a breed are sorted by a hash of the seed and their content. The first ones are the test set, the next ones
the validation set, and the others the training set, so the shares are exact. An added photo takes its place in that
order, and only photos at the two borders change their split.
docs/decisions/0086-splits-of-public-data-sets.md
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.photos import SPLITS
from ops.data.split.shares import Shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """Photos that must be in the same split, because they show the same; usually one photo."""

    checksums: Sequence[str]
    """SHA-256 of each photo."""
    breeds: Counter[str]
    """Number of photos of each breed; near duplicates may have several."""
    only_train: bool = False
    """Whether one of the photos is truncated. Training uses such a photo, and measures nothing with it."""

    @property
    def size(self) -> int:
        return len(self.checksums)

    @property
    def breed(self) -> str:
        """The breed with the most photos, for which the unit is counted."""
        return min(self.breeds, key=lambda breed: (-self.breeds[breed], breed))


def assign(units: Sequence[Unit], shares: Shares, *, seed: int, splits: tuple[str, ...] = SPLITS) -> Mapping[int, str]:
    """The split of each unit, by the unit's index. `splits` contains `train`."""
    of_breed: dict[str, list[int]] = defaultdict(list)
    for index, unit in enumerate(units):
        of_breed[unit.breed].append(index)
    assigned: dict[int, str] = {}
    for indices in of_breed.values():
        quotas = shares.quotas(sum(units[index].size for index in indices), splits)
        assigned |= _assign_breed({index: units[index] for index in indices}, quotas, seed)
    _give_each_breed_training_photos(units, assigned, seed)
    return assigned


def _assign_breed(units: Mapping[int, Unit], quotas: Mapping[str, int], seed: int) -> dict[int, str]:
    free = sorted(
        (index for index in units if not units[index].only_train), key=lambda index: _place(units[index], seed)
    )
    assigned = dict.fromkeys(units, "train")
    for split in ("test", "valid"):
        left = wanted = quotas.get(split, 0)
        taken = []
        for index in free:
            if units[index].size <= left:
                taken.append(index)
                left -= units[index].size
        spare = len(units) - sum(value != "train" for value in assigned.values())
        if wanted and not taken and free and spare > 1:  # every unit is larger than the share
            taken = [min(free, key=lambda index: units[index].size)]
        assigned |= dict.fromkeys(taken, split)
        free = [index for index in free if index not in set(taken)]
    return assigned


def _give_each_breed_training_photos(units: Sequence[Unit], assigned: dict[int, str], seed: int) -> None:
    """Training refuses a breed without training photos, which one could be whose only photos are in other units."""
    trained = {breed for index, unit in enumerate(units) if assigned[index] == "train" for breed in unit.breeds}
    for breed in sorted({breed for unit in units for breed in unit.breeds} - trained):
        having = [index for index, unit in enumerate(units) if breed in unit.breeds]
        assigned[min(having, key=lambda index: _place(units[index], seed))] = "train"


def _place(unit: Unit, seed: int) -> str:
    """The unit's place in the order of its breed. It depends on content alone, not on names or on the other photos."""
    return min(hashlib.sha256(f"{seed}/{checksum}".encode()).hexdigest() for checksum in unit.checksums)
