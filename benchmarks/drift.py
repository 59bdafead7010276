"""How often `kennel drift` finds drift: in photos like the test photos, and in others.

    python -m benchmarks.drift
    python -m benchmarks.drift --model FOLDER --photos dogImages/test

Without options it draws sample photos of ten breeds and trains a small network on them. The photos of `test` are
classified once as they are and once for each change. Each check then takes some of them at random as the reference, and
as many as the column says of the others as the photos of now. Shares are of `--checks` checks for photos like the test
photos, and of a sixth of them for others. The noise is of 399 divisions and not of 1,999: it has the same level and
takes a fifth of the time.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.processor import print_processor
from inference.classifier import Classifier
from inference.cores import usable_cores
from inference.drift import distance
from inference.drift.appearance import appearance
from inference.drift.comparison import FALSE_ALARMS, compare
from inference.drift.reference import Photos, Reference
from sample_dogs.dataset import write_sample
from tests.builders import encoded

COUNTS = {"train": 30, "valid": 10, "test": 300}
REFERENCE = 1000
SIZES = (50, 200, 1000)


def _noisy(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image, np.float32) + np.random.default_rng(0).normal(0, 25, (*image.size[::-1], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _to_side(image: Image.Image, side: int) -> Image.Image:
    return image.resize((round(image.width * side / min(image.size)), round(image.height * side / min(image.size))))


Changes = dict[str, Callable[[Image.Image], Image.Image]]
CHANGES: Changes = {
    "half as bright": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "a fifth less bright": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "blurred (2 % of the shorter side)": lambda image: image.filter(ImageFilter.GaussianBlur(min(image.size) / 50)),
    "noisy (sigma 25 of 255)": _noisy,
    "scaled down to 300 pixels": lambda image: _to_side(image, 300),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """All photos of the test set, in one form."""

    photos: Photos

    def some(self, at: npt.NDArray[np.int64]) -> Photos:
        found = self.photos
        return Photos(
            confidence=found.confidence[at],
            breed=found.breed[at],
            brightness=found.brightness[at],
            shorter_side=found.shorter_side[at],
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="False alarms and power of the check for drift.")
    parser.add_argument("--model", type=Path, help="an artifact; default: a small network is trained")
    parser.add_argument("--photos", type=Path, help="a folder with a folder of photos for each breed")
    parser.add_argument("--checks", type=int, default=300, help="of photos like the test photos (default: 300)")
    options = parser.parse_args()
    distance.DIVISIONS = 399
    print_processor()
    with tempfile.TemporaryDirectory() as scratch, nullcontext(options.photos) as photos:
        if not options.model or not photos:
            photos = _sample(Path(scratch))
        report(Classifier(options.model or Path(scratch) / "model"), photos, options.checks)
    return 0


def _sample(work: Path) -> Path:
    write_sample(work / "photos", counts=COUNTS)
    command = [sys.executable, "-m", "tests.distributed.small_train", "--mode", "full", "--epochs", "12"]
    folders = ["--data", str(work / "photos"), "--model-dir", str(work / "model"), "--pretrained", "none"]
    subprocess.run([*command, *folders, "--image-size", "64"], check=True, capture_output=True)
    return work / "photos" / "test"


def report(classifier: Classifier, folder: Path, checks: int) -> None:
    """Print the table."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    plain = _measured(classifier, paths, None)
    print(
        f"{len(paths)} photos, {len(classifier.labels)} breeds, level {FALSE_ALARMS:.0%}, {checks} checks, "
        f"{checks // 6} of changed photos"
    )
    print(f"{'photos of now':36}" + "".join(f"{f'N = {size}':>10}" for size in SIZES))
    _row("as the test photos", classifier, plain, plain, checks)
    half = plain.photos.breed < len(classifier.labels) // 2
    _row("half of the breeds only", classifier, plain, plain, checks // 6, np.flatnonzero(half))
    half_side = classifier.preprocessing.resize // 2
    thumbnails: Changes = {"thumbnails, half of what is used": lambda image: _to_side(image, half_side)}
    for name, change in {**CHANGES, **thumbnails}.items():
        _row(name, classifier, plain, _measured(classifier, paths, change), checks // 6)


def _measured(
    classifier: Classifier, paths: Sequence[Path], change: Callable[[Image.Image], Image.Image] | None
) -> Measured:
    def row(path: Path) -> tuple[float, int, float, int]:
        content = path.read_bytes()
        if change:
            with Image.open(io.BytesIO(content)) as image:
                content = encoded(change(image.convert("RGB")), "JPEG", quality=90)
        best, look = classifier.predict(content, top_k=1)[0], appearance(content, classifier.preprocessing)
        return best.probability, classifier.labels.index(best.breed), look.brightness, look.shorter_side

    with ThreadPoolExecutor(usable_cores()) as pool:
        return Measured(Photos.of(list(pool.map(row, paths))))


def _row(
    name: str,
    classifier: Classifier,
    plain: Measured,
    changed: Measured,
    checks: int,
    of_now: npt.NDArray[np.int64] | None = None,
) -> None:
    rng, shares = np.random.default_rng(1), []
    for size in SIZES:
        found = 0
        for _ in range(checks):
            order = rng.permutation(len(plain.photos))
            rest = order[REFERENCE:] if of_now is None else np.intersect1d(order[REFERENCE:], of_now)
            reference = Reference(
                manifest=classifier.manifest, labels=classifier.labels, photos=plain.some(order[:REFERENCE])
            )
            found += compare(reference, changed.some(rng.permutation(rest)[:size])).verdict == "drift"
        shares.append(found / checks)
    print(f"{name:36}" + "".join(f"{share:>10.1%}" for share in shares), flush=True)


if __name__ == "__main__":
    sys.exit(main())
