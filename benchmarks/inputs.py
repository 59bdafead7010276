"""The photos and the weights of the benchmarks of training and serving: two options, or two environment variables."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sample_dogs.dataset import write_sample

PHOTOS = "KENNEL_BENCH_PHOTOS"
WEIGHTS = "KENNEL_BENCH_WEIGHTS"


def add_options(parser: argparse.ArgumentParser, *, weights: str) -> None:
    """Add --data and --weights. `weights` describes the default of --weights."""
    parser.add_argument(
        "--data",
        type=_folder,
        metavar="DIR",
        default=os.environ.get(PHOTOS),
        help=f"train/, valid/ and test/, each with a folder for each breed (default: ${PHOTOS}, or drawn photos)",
    )
    parser.add_argument(
        "--weights",
        type=_file,
        metavar="FILE",
        default=os.environ.get(WEIGHTS),
        help=f"ResNet50 weights as .safetensors (default: ${WEIGHTS}, or {weights})",
    )


def _folder(text: str) -> Path:
    if not (Path(text) / "test").is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} has no folder test/. Name a folder with train/, valid/ and test/ (--data or {PHOTOS})."
        )
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file. Name a .safetensors file (--weights or {WEIGHTS}).")
    return Path(text)


@contextmanager
def for_training(options: argparse.Namespace) -> Iterator[tuple[Path, Path, str]]:
    """(temporary folder, photos, weights): those of the options, else drawn photos and ImageNet's weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.data is None:
            write_sample(folder / "photos", seed=0)
        data = options.data or folder / "photos"
        weights = str(options.weights or "imagenet")
        print(f"photos in {data}, weights {weights}", flush=True)
        yield folder, data, weights
