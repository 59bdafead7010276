"""Detection rate and false positives of `kennel data check`'s near-duplicate search, compared with a difference hash.

    python -m benchmarks.near_duplicates                   # on drawn dogs
    python -m benchmarks.near_duplicates --data dogImages  # on your photos, which should contain no copies
    python -m benchmarks.near_duplicates --count 100000    # seconds and memory of the search in 100,000 photos

Each alteration makes copies of up to 200 photos. The table shows the share of copies that match their original.
False positives are pairs of unaltered photos that match.
"""

import argparse
import io
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from benchmarks.processor import print_processor
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from ops.data.measure import CHECKED_SIDE, scaled
from ops.data.near_duplicates import SIDE, THRESHOLD, fingerprint, near_duplicate_groups
from sample_dogs.dataset import write_sample
from training.data.dataset import scan

COPIES = 200
CLOSE = (5, 10)
"""Bits of 64 in which two difference hashes may differ. Users of imagehash choose 5 to 10."""


def saved(photo: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def inner(photo: Image.Image, share: float) -> Image.Image:
    """The photo without `share` of its width and height at each side."""
    x, y = int(photo.width * share), int(photo.height * share)
    return photo.crop((x, y, photo.width - x, photo.height - y))


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved again, quality 20": lambda photo: saved(photo, 20),
    "half the size, quality 60": lambda photo: saved(photo.resize((photo.width // 2, photo.height // 2))),
    "30 % brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
    "40 % paler": lambda photo: ImageEnhance.Color(photo).enhance(0.6),
    "2 % cut at each side": lambda photo: inner(photo, 0.02),
    "3 % cut at each side": lambda photo: inner(photo, 0.03),
    "5 % cut at each side": lambda photo: inner(photo, 0.05),
}


def difference_hash(photo: Image.Image) -> npt.NDArray[np.bool_]:
    """(64,): whether each cell of a 9 x 8 greyscale image is brighter than the cell before."""
    cells = np.asarray(photo.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return (cells[:, 1:] > cells[:, :-1]).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="train/, valid/ and test/ with a folder a breed")
    parser.add_argument("--count", type=int, metavar="N", help="time the search in N random fingerprints")
    arguments = parser.parse_args()
    data = arguments.data
    print_processor()
    if arguments.count:
        for kind in ("unlike", "eight of each", "all alike"):
            search(arguments.count, kind)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if data is None:
            data = Path(scratch) / "sample"
            write_sample(data)
        photos = []
        for photo in (photo for split in scan(data).splits.values() for photo in split):
            try:
                photos.append(decode(photo.path.read_bytes(), shorter_side=CHECKED_SIDE))
            except (OSError, PhotoError):
                continue
    compare(photos)


def compare(photos: list[Image.Image]) -> None:
    looks = [scaled(photo) for photo in photos]
    count = min(COPIES, len(photos))
    chosen = [len(photos) * i // count for i in range(count)]
    marks, hashes = [fingerprint(look) for look in looks], np.stack([difference_hash(look) for look in looks])
    print(f"{len(photos)} photos, {len(chosen)} copies for each alteration")
    print(f"{'':28}{'correlation':>12}" + "".join(f"{f'dHash <= {bits}':>12}" for bits in CLOSE))
    for name, alter in ALTERATIONS.items():
        altered = [scaled(alter(photos[i])) for i in chosen]
        alike = [float(marks[i] @ fingerprint(copy)) >= THRESHOLD for i, copy in zip(chosen, altered, strict=True)]
        apart = [int((hashes[i] != difference_hash(copy)).sum()) for i, copy in zip(chosen, altered, strict=True)]
        found = [np.mean(alike), *(np.mean(np.asarray(apart) <= bits) for bits in CLOSE)]
        print(f"{name:28}" + "".join(f"{share:12.1%}" for share in found))
    signs = np.where(hashes, 1.0, -1.0).astype(np.float32)
    apart_all = (64 - signs @ signs.T)[np.triu_indices(len(photos), 1)] / 2
    correlation = np.stack(marks) @ np.stack(marks).T
    similar = correlation[np.triu_indices(len(photos), 1)] >= THRESHOLD
    false_positives = [int(similar.sum()), *(int((apart_all <= bits).sum()) for bits in CLOSE)]
    print(f"{'false positives':28}" + "".join(f"{count:12}" for count in false_positives))


def search(count: int, kind: str) -> None:
    """Print the time of the search in `count` fingerprints, and the memory that it needs besides them."""
    noise = np.random.default_rng(0)
    marks = noise.standard_normal((count, SIDE * SIDE * 3), dtype=np.float32)
    if kind != "unlike":
        of_each = 8 if kind == "eight of each" else count
        marks = np.repeat(marks[: -(-count // of_each)], of_each, axis=0)[:count] + 0.1 * marks
    marks /= np.linalg.norm(marks, axis=1, keepdims=True)
    listed = list(marks)
    tracemalloc.start()
    start, processor = time.perf_counter(), time.process_time()
    groups = near_duplicate_groups(listed)
    took, processor = time.perf_counter() - start, time.process_time() - processor
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(
        f"{count} photos, {kind:13}: {len(groups):6} groups, {took:6.1f} s, {processor:.1f} s of "
        f"processor time, {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
