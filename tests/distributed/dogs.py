"""Small data sets, whose breeds differ by colour, and the options of a short run on them."""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.config import Config

COLOURS = {"Beagle": (200, 60, 40), "Collie": (40, 170, 60), "Pug": (50, 70, 190), "Saluki": (220, 210, 90)}
COUNTS = {"train": 6, "valid": 3, "test": 3}


def any_photo(breed: str = "Beagle", seed: int = 0, *, size: tuple[int, int] = (60, 48)) -> bytes:
    """A JPEG in the breed's colour, with noise that depends on the seed."""
    noise = np.random.default_rng(seed).normal(0, 40, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(COLOURS[breed]) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def write_photos(folder: Path, *, breeds: int = 3, counts: Mapping[str, int] = COUNTS, prefixes: bool = False) -> Path:
    """`counts` photos per breed and split; with `prefixes`, in folders with Udacity's numbers."""
    for number, breed in enumerate(list(COLOURS)[:breeds], start=1):
        for split, count in counts.items():
            place = folder / split / (f"{number:03}.{breed}" if prefixes else breed)
            place.mkdir(parents=True)
            for index in range(count):
                (place / f"{index}.jpg").write_bytes(any_photo(breed, zlib.crc32(f"{split}/{number}/{index}".encode())))
    return folder


def spoil(folder: Path, *names: str) -> None:
    """Truncate the photos so far that they cannot be used for training."""
    cut_off(folder, *names, kept=0.25)


def cut_off(folder: Path, *names: str, kept: float) -> None:
    """Truncate the photos to this share of their bytes."""
    for name in names:
        path = folder / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])


def settings(folder: Path, **changed: Any) -> Config:
    """Two fast epochs over the photos in folder/photos, from folder/weights.safetensors if that file exists."""
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
