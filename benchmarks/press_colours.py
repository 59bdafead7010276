"""Fit the formula of inference/photo/press.py to profiles of presses, and print its error for each.

    python -m benchmarks.press_colours default_cmyk.icc cmyk.icm

LittleCMS separates a grid of sRGB colours, at five saturations because photos have few pure colours, into each
profile's CMYK, with black point compensation as editors do. The formula predicts the sRGB that LittleCMS makes of that
CMYK from the RGB that Pillow makes of it without a profile. All profiles have the same weight.
"""

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from benchmarks.processor import print_processor
from inference.photo.press import FACTORS, printed, terms

SATURATIONS = (0.1, 0.2, 0.4, 0.7, 1)
STEPS = 17

Levels = npt.NDArray[np.uint8]


def main() -> int:
    parser = argparse.ArgumentParser(description="Fit inference/photo/press.py to profiles of presses.")
    parser.add_argument("profiles", type=Path, nargs="+", metavar="FILE", help="an ICC profile of CMYK")
    profiles = parser.parse_args().profiles
    print_processor()
    pairs = {path.name: separated(path.read_bytes()) for path in profiles}
    inputs = np.concatenate([np.stack(terms(naive.reshape(-1, 3)), axis=1) for naive, _ in pairs.values()])
    outputs = np.concatenate([true.reshape(-1, 3) / 255.0 - 1 for _, true in pairs.values()])
    fitted = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    print(np.round(fitted, 3).tolist())
    print(f"largest difference from the factors in use: {np.abs(fitted - FACTORS).max():.4f}")
    for name, (naive, true) in pairs.items():
        before, after = (np.abs(each.astype(int) - true).mean() for each in (naive, printed(naive)))
        print(f"{name}: mean error of a level {before:.1f} without the formula, {after:.1f} with it")
    return 0


def separated(profile: bytes) -> tuple[Levels, Levels]:
    """(height, width, 3) of the grid: as Pillow reads its CMYK, and as the profile says that it looks."""
    steps = np.linspace(0, 255, STEPS)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, STEPS, 3)
    grey = grid.mean(axis=-1, keepdims=True)
    colours = np.concatenate([grey + share * (grid - grey) for share in SATURATIONS]).round().astype(np.uint8)
    press, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    how: dict[str, Any] = {
        "renderingIntent": ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "flags": ImageCms.Flags.BLACKPOINTCOMPENSATION,
    }
    inks: Any = ImageCms.profileToProfile(Image.fromarray(colours), srgb, press, outputMode="CMYK", **how)
    looks = ImageCms.profileToProfile(inks, press, srgb, outputMode="RGB", **how)
    return np.asarray(inks.convert("RGB")), np.asarray(looks)


if __name__ == "__main__":
    sys.exit(main())
