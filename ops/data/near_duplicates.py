"""Find near duplicates: photos that differ in compression, size, brightness or a small crop.

A photo's fingerprint is its image scaled to 12 x 12 pixels, with mean 0 and length 1. The similarity of two photos is
the correlation of their fingerprints. docs/decisions/0043-near-duplicates.md compares it with a 64-bit difference hash.
"""

import math
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


def fingerprint(image: Image.Image) -> Fingerprint:
    """Of an upright RGB image. All 0 if the image has no contrast."""
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > _FLAT * math.sqrt(small.size) else np.zeros_like(small)


def near_duplicates(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs of indices of near duplicates, the smaller index first. The time grows with the square of the photos."""
    rows = np.stack(fingerprints) if fingerprints else np.zeros((0, SIDE * SIDE * 3), np.float32)
    for top in range(0, len(rows), _BLOCK):
        for left in range(top, len(rows), _BLOCK):
            is_similar = rows[top : top + _BLOCK] @ rows[left : left + _BLOCK].T >= THRESHOLD
            for row, column in np.argwhere(is_similar).tolist():
                if top + row < left + column:
                    yield top + row, left + column
