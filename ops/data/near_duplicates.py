"""Find near duplicates: photos that differ in compression, size, brightness or a small crop.

A photo's fingerprint is its image scaled to 12 x 12 pixels, with mean 0 and length 1. The similarity of two photos is
the correlation of their fingerprints. docs/decisions/0043-near-duplicates.md compares it with a 64-bit difference hash,
and says why they are listed in groups.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Fingerprint = npt.NDArray[np.float32]
"""(SIDE * SIDE * 3,)"""

SIDE = 12
THRESHOLD = 0.94
"""Two photos with at least this correlation are near duplicates."""
_FLAT = 2.0
"""Standard deviation, of 255, below which a photo has no structure to compare, and counts as unlike all others."""
_BLOCK = 2048
"""Photos on each side of one product of matrices, whose result then takes 17 MB."""


def fingerprint(image: Image.Image) -> Fingerprint:
    """Of an upright RGB image. All 0 if the image has no contrast."""
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > _FLAT * math.sqrt(small.size) else np.zeros_like(small)


def near_duplicate_groups(fingerprints: Sequence[Fingerprint]) -> list[list[int]]:
    """Groups of indices, in ascending order, each of two or more photos.

    A group is transitive: each photo in it is a near duplicate of another one in it, and the first and the last frame
    of a video can differ. The time grows with the square of the number of photos, the memory with the number.
    """
    groups = _Groups(len(fingerprints))
    for top, left, similarity in _blocks(fingerprints, fingerprints):
        is_new = similarity >= THRESHOLD
        if is_new.any():  # of thousands of photos that are all alike, few pairs join two groups
            is_new &= groups.are_apart(slice(top, top + len(is_new)), slice(left, left + is_new.shape[1]))
        for row in np.flatnonzero(is_new.any(axis=1)):
            groups.join(top + int(row), left + np.flatnonzero(is_new[row]))
    return groups.of_several()


def most_similar(fingerprints: Sequence[Fingerprint], ones: Sequence[int], others: Sequence[int]) -> tuple[int, int]:
    """The two indices, one of `ones` and one of `others`, whose photos are most alike. Neither may be empty."""
    best, pair = -math.inf, (ones[0], others[0])
    for top, left, similarity in _blocks([fingerprints[i] for i in ones], [fingerprints[i] for i in others]):
        row, column = divmod(int(similarity.argmax()), similarity.shape[1])
        if similarity[row, column] > best:
            best, pair = float(similarity[row, column]), (ones[top + row], others[left + column])
    return pair


def _blocks(
    ones: Sequence[Fingerprint], others: Sequence[Fingerprint]
) -> Iterator[tuple[int, int, npt.NDArray[np.float32]]]:
    """The first row, the first column and the similarities of each block of the table of all pairs.

    Of a list with itself: of the upper half, because the lower half is the same.
    """
    symmetric = ones is others
    for top in range(0, len(ones), _BLOCK):
        rows = np.stack(ones[top : top + _BLOCK])
        for left in range(top if symmetric else 0, len(others), _BLOCK):
            yield top, left, rows @ np.stack(others[left : left + _BLOCK]).T


class _Groups:
    """Disjoint sets of the numbers below `count`, with one integer for each number (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)
        """A smaller number of the same group, or the number itself if it is the smallest."""

    def join(self, one: int, others: npt.NDArray[np.intp]) -> None:
        numbers = np.append(others, one)
        roots = self._roots(numbers)
        smallest = roots.min()
        self._parent[roots] = smallest
        self._parent[numbers] = smallest

    def are_apart(self, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
        """(rows, columns): whether the two numbers are in different groups."""
        numbers = np.arange(len(self._parent))
        different: npt.NDArray[np.bool_] = self._roots(numbers[rows])[:, None] != self._roots(numbers[columns])
        return different

    def of_several(self) -> list[list[int]]:
        """The groups with more than one number, by their smallest number."""
        found: dict[int, list[int]] = defaultdict(list)
        for number, root in enumerate(self._roots(np.arange(len(self._parent))).tolist()):
            found[root].append(number)
        return [group for group in found.values() if len(group) > 1]

    def _roots(self, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        roots = self._parent[numbers]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        return roots
