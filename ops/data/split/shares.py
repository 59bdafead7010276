"""How many photos of a breed each split gets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from contract.photos import SPLITS
from ops.data.split.errors import SplitError

DEFAULT = "80/10/10"
_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_FORM = re.compile(rf"({_NUMBER})/({_NUMBER})/({_NUMBER})")
_TIES = ("test", "valid", "train")
"""Of two splits with the same remainder the first here gets the photo: the test set is the smallest measurement."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of each split. Fractions, because sums of floats can depend on their order."""

    of: Mapping[str, Fraction]

    def quotas(self, photos: int, splits: tuple[str, ...] = SPLITS) -> dict[str, int]:
        """Divide a number of photos among `splits`, which contain `train`, by the largest remainder.

        Each split gets at least one photo if there are enough. If not, `train` gets one first, then `test`.
        """
        whole = sum(self.of[split] for split in splits)
        exact = {split: photos * self.of[split] / whole for split in splits}
        quotas = {split: int(exact[split]) for split in splits}
        order = sorted(splits, key=lambda split: (quotas[split] - exact[split], _TIES.index(split)))
        for split in order[: photos - sum(quotas.values())]:
            quotas[split] += 1
        for split in ("train", "test", "valid"):
            largest = max(splits, key=lambda other: (quotas[other], _TIES.index(other)))
            if split in splits and not quotas[split] and quotas[largest] > (split != "train"):
                quotas[largest] -= 1
                quotas[split] += 1
        return quotas


def parse(text: str) -> Shares:
    """The shares of train, valid and test, such as 80/10/10 or 0.7/0.15/0.15. Only their ratio counts.

    Raises SplitError for another form and for a share of 0, because training needs all three splits.
    """
    match = _FORM.fullmatch(text.strip())
    numbers = [Fraction(number) for number in match.groups()] if match else []
    if not numbers or not all(numbers):
        raise SplitError(
            f"The shares {text!r} are not three numbers above 0. Write train/valid/test, such as {DEFAULT}."
        )
    return Shares(dict(zip(SPLITS, numbers, strict=True)))
