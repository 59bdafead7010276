"""Small things to train on: photos that a breed's colour tells apart, weights, a small network, a run's settings."""

import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import ResNet, resnet50
from torchvision.models.resnet import Bottleneck

import training.model.backbone
from training.config import Config

COLOURS = {"Beagle": (200, 60, 40), "Collie": (40, 170, 60), "Pug": (50, 70, 190), "Saluki": (220, 210, 90)}
COUNTS = {"train": 6, "valid": 3, "test": 3}


def any_photo(breed: str = "Beagle", seed: int = 0, *, size: tuple[int, int] = (60, 48)) -> bytes:
    """A JPEG in the breed's colour, with noise of its own."""
    noise = np.random.default_rng(seed).normal(0, 40, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(COLOURS[breed]) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def write_photos(folder: Path, *, breeds: int = 3, counts: Mapping[str, int] = COUNTS, prefixes: bool = False) -> Path:
    """`counts` photos per breed of each split; with `prefixes`, in folders named as Udacity names them."""
    for number, breed in enumerate(list(COLOURS)[:breeds], start=1):
        for split, count in counts.items():
            place = folder / split / (f"{number:03}.{breed}" if prefixes else breed)
            place.mkdir(parents=True)
            for index in range(count):
                (place / f"{index}.jpg").write_bytes(any_photo(breed, zlib.crc32(f"{split}/{number}/{index}".encode())))
    return folder


def spoil(folder: Path, *names: str) -> None:
    """Cut the photos off where too little of them is left to learn from."""
    cut_off(folder, *names, kept=0.25)


def cut_off(folder: Path, *names: str, kept: float) -> None:
    """Leave only this share of the photos' bytes."""
    for name in names:
        path = folder / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])


def small_resnet(*, weights: None = None, num_classes: int, zero_init_residual: bool = False) -> ResNet:
    """ResNet50's own kind with a thirtieth of its weights; the head sees 2048 features, as in ResNet50."""
    assert weights is None
    return ResNet(
        Bottleneck, [1, 1, 1, 1], num_classes=num_classes, width_per_group=4, zero_init_residual=zero_init_residual
    )


def real_resnet() -> ResNet:
    """ResNet50 itself, where its size is what a test is about."""
    return resnet50(num_classes=2)


def use_small_network() -> None:
    """From now on, in this process."""
    training.model.backbone.resnet50 = small_resnet  # type: ignore[attr-defined]


def write_weights(path: Path, make: Callable[[], ResNet] = lambda: small_resnet(num_classes=5)) -> Path:
    """Random weights of the network that `make` makes, the same each time, as a file that `--pretrained` takes.

    Not every random network tells the colours apart as well as the next.
    """
    torch.manual_seed(7)
    save_file(make().state_dict(), path)
    return path


def settings(folder: Path, **changed: Any) -> Config:
    """Two epochs over the photos in folder/photos, at a size that costs nothing; from folder/weights if it is there."""
    weights = folder / "weights.safetensors"
    values: dict[str, Any] = {
        "data": folder / "photos",
        "model_dir": folder / "model",
        "output_dir": folder / "output",
        "mode": "frozen" if weights.exists() else "full",
        "pretrained": str(weights) if weights.exists() else "none",
        "epochs": 2,
        "batch_size": 8,
        "image_size": 32,
        "precision": "fp32",
        "weight_decay": 0.01,
        "label_smoothing": 0.0,
    }
    return Config(**{**values, **changed})
