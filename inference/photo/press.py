"""Photos in CMYK with a press's profile: what their inks look like in sRGB, by one formula for all presses.

Such a profile is a table of measured colours of 0.2 to 3 MB, which is not read. Pillow takes the inks for ideal ones,
(1 - C)(1 - K) and so on, which makes photos far too dark and too colourful. Presses and papers differ less from each
other than from that, so one quadratic formula of Pillow's RGB removes most of the error. docs/decisions/0095
"""

import numpy as np
import numpy.typing as npt

FACTORS = np.array(
    [
        [0.780, -0.040, -0.120],  # red
        [-0.129, 0.529, 0.141],  # green
        [0.035, 0.047, 0.436],  # blue
        [-0.123, 0.032, 0.071],  # red x red
        [-0.118, -0.147, -0.064],  # green x green
        [-0.005, -0.038, -0.135],  # blue x blue
        [0.486, 0.410, 0.010],  # red x green
        [-0.110, 0.022, 0.353],  # green x blue
        [0.011, 0.010, 0.121],  # blue x red
    ],
    dtype=np.float32,
)
"""By term of Pillow's RGB: what it adds to red, green and blue. `python -m benchmarks.press_colours` fits them to
Ghostscript's profile of SWOP and Krita's "Chemical proof", both free."""


def terms(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n, 9) of (n, 3) levels: the terms of the formula, each minus its value for white, which stays white."""
    red, green, blue = (pixels[:, channel].astype(np.float32) / 255 for channel in range(3))
    each = (red, green, blue, red * red, green * green, blue * blue, red * green, green * blue, blue * red)
    stacked = np.stack(each, axis=1) - np.float32(1)
    return np.asarray(stacked, dtype=np.float32)


def printed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(height, width, 3) levels of Pillow's RGB, to those of sRGB."""
    light = np.ones((pixels.size // 3, 3), dtype=np.float32)
    for term, factors in zip(terms(pixels.reshape(-1, 3)).T, FACTORS, strict=True):
        light += term[:, np.newaxis] * factors  # not a matrix product, whose rounding differs between processors
    levels: npt.NDArray[np.uint8] = np.clip(light * 255 + 0.5, 0, 255).astype(np.uint8)
    return levels.reshape(pixels.shape)
