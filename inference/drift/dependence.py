"""How many independent photos the photos of callers are worth.

A caller sends several photos of one dog, or of one room, one after the other. Such photos are alike, so chance puts
them further from the test photos than as many independent ones. The effective sample size says by how much: the number
of photos divided by 1 + 2 times the sum of their correlations at each lag (Geyer, Practical Markov Chain Monte Carlo,
1992, section 3).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LONGEST_BURST = 10
"""Photos. What is alike further apart is no burst of one caller, but how callers' photos are since some moment. With
20, a change since the middle of 200 photos would be found less often."""


def independent(photos: int, alike: Sequence[float]) -> int:
    """The effective sample size. alike: of lag 1, 2, and so on, how alike photos so far apart are; 1 is the same."""
    far = alike[LONGEST_BURST : 2 * LONGEST_BURST]
    level = max(0.0, float(np.mean(far))) if far else 0.0
    if level >= 1:
        return photos
    total = 1.0
    for lag, each in enumerate(alike[:LONGEST_BURST], start=1):
        correlation = (each - level) / (1 - level)
        # two standard errors of independent photos
        if correlation <= 2 * max(level / (1 - level), 1 / photos) ** 0.5 / (photos - lag) ** 0.5:
            break
        total += 2 * correlation
    return max(1, round(photos / total))


def alike_classes(photos: npt.NDArray[np.int64]) -> list[float]:
    """How often two photos at each lag have the same class. photos: in the order of time."""
    return [float((photos[lag:] == photos[:-lag]).mean()) for lag in _lags(len(photos))]


def alike_values(photos: npt.NDArray[np.float64]) -> list[float]:
    """The correlation of the ranks of two photos at each lag. photos: in the order of time."""
    _, places, counts = np.unique(photos, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[places]
    ranks = ranks - ranks.mean()
    variance = float((ranks * ranks).mean())
    return [float((ranks[lag:] * ranks[:-lag]).mean()) / variance if variance else 1.0 for lag in _lags(len(photos))]


def even_part(photos: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """So many of the photos, evenly over the time."""
    return photos[[len(photos) * i // count for i in range(count)]]


def _lags(photos: int) -> range:
    return range(1, min(photos, 2 * LONGEST_BURST + 1))
