"""How far two sets of photos are apart in one measure, and how far chance alone puts them.

For a number: the largest difference of the two distribution functions (Kolmogorov and Smirnov's statistic). For the
breed: half the sum of the differences of the shares (total variation). Both are between 0, the same distribution, and
1, nothing in common; and both are at most the share of photos that would have to change.

The noise is a permutation test's (Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005): all photos
are pooled and divided into two sets of the same sizes at random. So it is right for any distribution, with
ties, and for few photos on either side.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

DIVISIONS = 1999
"""Random divisions. With one more, the data's own, a level of 1/400 is a whole number of them."""

_AT_ONCE = 2_000_000
"""Values in memory at the same time."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Between the test photos and the photos of now."""

    value: float
    """0..1."""
    by_chance: float
    """If both came from one distribution, a larger value would have at most the probability `level` of the test."""


def of_values(test: Values, now: Values, *, level: float, seed: int = 0) -> Distance:
    """The Kolmogorov-Smirnov distance of two samples of a number, of at least one value each."""
    pooled = np.concatenate([test, now])
    order = np.argsort(pooled, kind="stable")
    ordered = pooled[order]
    last = np.append(ordered[1:] != ordered[:-1], True)  # equal values are one step
    # n * m times the difference of the distribution functions, in whole numbers
    steps = np.concatenate([np.full(len(test), -len(now)), np.full(len(now), len(test))]).astype(np.int32)[order]
    rng, found = np.random.default_rng(seed), []
    rows = max(1, _AT_ONCE // len(steps))
    for start in range(0, DIVISIONS, rows):
        block = np.tile(steps, (min(rows, DIVISIONS - start), 1))
        found.append(_largest(rng.permuted(block, axis=1), last))
    whole = len(test) * len(now)
    return Distance(int(_largest(steps[np.newaxis], last)[0]) / whole, _bound(np.concatenate(found) / whole, level))


def of_classes(test: Classes, now: Classes, *, level: float, seed: int = 0) -> Distance:
    """The total variation distance of two samples of a class index, of at least one index each."""
    classes = 1 + int(max(test.max(), now.max()))
    counts = np.bincount(now, minlength=classes)
    pooled = np.bincount(test, minlength=classes) + counts
    # the counts of a random division, without dividing: that is this distribution's definition
    divided = np.random.default_rng(seed).multivariate_hypergeometric(pooled, len(now), DIVISIONS, method="marginals")

    def apart(of_now: npt.NDArray[np.int64]) -> Values:
        result: Values = np.abs(of_now / len(now) - (pooled - of_now) / len(test)).sum(axis=-1) / 2
        return result

    return Distance(float(apart(counts)), _bound(apart(divided), level))


def _largest(steps: npt.NDArray[np.int32], last: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    result: npt.NDArray[np.int32] = np.abs(np.cumsum(steps, axis=1, dtype=np.int32)).max(axis=1, where=last, initial=0)
    return result


def _bound(divided: Values, level: float) -> float:
    """The smallest value that at most the share `level` of all divisions, the data's own included, exceeds."""
    place = int(level * (len(divided) + 1) + 1e-9)
    # a division may have the same distance as the data's own, up to the last bits of its sum
    return float(np.sort(divided)[-place]) + 1e-9
