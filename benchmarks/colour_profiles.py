"""Photos in other colour spaces, with their profile and without it, compared with the same photos in sRGB.

    make bench-colours
    make bench-colours ARGS='--data dogImages --weights resnet50.safetensors --cmyk default_cmyk.icc'

One head is trained on frozen features, on the photos as they are. Each photo of valid and test is then decoded, saved
as sRGB, and converted to each other space by LittleCMS and saved with the same options (JPEG, quality 95, colours at
full size). "profile ignored" is the converted photo saved without its profile. The float32 network classifies all, and
losses have the temperature that the model gets from valid. The first line of each space is what a server without colour
management does, the second is Kennel.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from benchmarks.inputs import add_options, for_training
from benchmarks.processor import print_processor
from benchmarks.training_time import lines_of
from inference.artifact import Artifact, load
from inference.classifier import Classifier
from tests import icc_profiles
from training.data.dataset import DataSet, scan

JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
SRGB = ImageCms.createProfile("sRGB")


def main() -> int:
    parser = argparse.ArgumentParser(description="What colour profiles change.")
    add_options(parser, weights="ImageNet's")
    parser.add_argument(
        "--cmyk", type=Path, nargs="*", default=[], metavar="FILE", help="ICC profiles of presses, for photos in CMYK"
    )
    options = parser.parse_args()
    print_processor()
    with for_training(options) as (work, folder, weights):
        given = ["--data", str(folder), "--pretrained", weights, "--precision", "fp32", "--model-dir", str(work / "m")]
        for _ in lines_of(["training.train", *given]):
            pass
        compare(load(work / "m"), Classifier(work / "m"), scan(folder), options.cmyk)
    return 0


def compare(artifact: Artifact, classifier: Classifier, data: DataSet, cmyk: list[Path]) -> None:
    photos = [photo for split in ("valid", "test") for photo in data.used(split)]
    targets = np.array([photo.label for photo in photos])
    images: list[Image.Image] = [Image.open(photo.path).convert("RGB") for photo in photos]
    preprocessing = artifact.manifest.preprocessing

    def probabilities(saved: Callable[[Image.Image], bytes]) -> Any:
        inputs = (preprocessing(saved(image)) for image in images)
        return np.concatenate([classifier.probabilities(photo[np.newaxis]) for photo in inputs])

    expected = probabilities(lambda image: encoded(image))
    print(f"{len(photos)} photos of {len(data.labels)} breeds")
    print(f"{'':36} loss            accuracy  probability moved: mean, 99th percentile, largest; another breed")
    print(f"{'sRGB':36} {row(expected, expected, targets)}")
    for name, to_space in spaces(cmyk):
        for how, keep in (("profile ignored", False), ("with its profile", True)):
            found = probabilities(lambda image, to_space=to_space, keep=keep: to_space(image, keep))  # type: ignore[misc]
            print(f"{name + ', ' + how:36} {row(found, expected, targets)}", flush=True)


def spaces(cmyk: list[Path]) -> Iterator[tuple[str, Callable[[Image.Image, bool], bytes]]]:
    """Each space, and the function that converts an sRGB image to it and saves it, with its profile or without."""
    profiles = {name: ("RGB", icc_profiles.named(name)) for name in icc_profiles.PRIMARIES if name != "sRGB"}
    profiles |= {f"CMYK ({path.name})": ("CMYK", path.read_bytes()) for path in cmyk}
    for name, (mode, profile) in profiles.items():
        transform = ImageCms.buildTransform(
            SRGB,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            "RGB",
            mode,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,  # the default of editors; only presses' black is not black
        )

        def to_space(image: Image.Image, keep: bool, transform: Any = transform, profile: bytes = profile) -> bytes:
            converted: Any = ImageCms.applyTransform(image, transform)
            return encoded(converted, icc_profile=profile if keep else None)

        yield name, to_space


def encoded(image: Image.Image, icc_profile: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **JPEG, icc_profile=icc_profile)
    return buffer.getvalue()


def row(found: Any, expected: Any, targets: Any) -> str:
    losses, before = (-np.log(each[np.arange(len(targets)), targets]) for each in (found, expected))
    error = (losses - before).std(ddof=1) / len(targets) ** 0.5
    moved = np.abs(found - expected).max(axis=1)
    other = (found.argmax(axis=1) != expected.argmax(axis=1)).mean()
    return (
        f"{losses.mean():.4f} ({(losses - before).mean():+.4f} ± {error:.4f})  "
        f"{(found.argmax(axis=1) == targets).mean():.4f}  "
        f"{moved.mean():.4f}  {np.quantile(moved, 0.99):.3f}  {moved.max():.3f}  {other:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
