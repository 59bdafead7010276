"""Photos that show the same picture in other bytes: saved again, scaled, brightened, cut a little at the edges.

A photo's fingerprint is a picture of 12 x 12 cells, of mean 0 and length 1; photos are as alike as theirs correlate.
docs/decisions/0043-near-duplicates.md has what that finds, and what a difference hash of 64 bits would.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Fingerprint = npt.NDArray[np.float32]
"""(SIDE * SIDE * 3,)"""

SIDE = 12
ALIKE = 0.94
"""Correlation from which on two photos count as the same."""
_FLAT = 2.0
"""Standard deviation, of 255, under which a photo is of one colour, and like no other."""
_BLOCK = 2048


def fingerprint(image: Image.Image) -> Fingerprint:
    """Of an upright RGB image. All 0 where there is nothing to tell it by."""
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > _FLAT * math.sqrt(small.size) else np.zeros_like(small)


def twins(marks: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs of indices, the smaller first, whose photos show the same. Takes time with the square of their number."""
    rows = np.stack(marks) if marks else np.zeros((0, SIDE * SIDE * 3), np.float32)
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            alike = rows[top : top + _BLOCK] @ rows[left : left + _BLOCK].T >= ALIKE
            for row, column in np.argwhere(alike).tolist():
                if top + row < left + column:
                    yield top + row, left + column
