"""Photos in CMYK with a press's profile: what their inks look like in sRGB, by one formula for all presses.

Such a profile is a table of measured colours of 0.2 to 3 MB, which is not read. Pillow takes the inks for ideal ones,
(1 - C)(1 - K) and so on, which makes photos far too dark and too colourful. Presses and papers differ less from each
other than from that, so one cubic formula of Pillow's RGB removes most of the error. docs/decisions/0095
"""

import numpy as np
import numpy.typing as npt

FACTORS = np.array(
    [
        [1.558, 0.245, 0.162],  # red
        [-0.168, 1.050, 0.357],  # green
        [0.075, 0.113, 0.797],  # blue
        [-1.543, -0.169, -0.163],  # red2
        [-0.066, -0.761, -0.015],  # green2
        [0.156, 0.127, -0.356],  # blue2
        [0.769, 0.083, -0.253],  # red green
        [-0.299, -0.325, -0.265],  # green blue
        [-0.265, -0.223, -0.100],  # blue red
        [0.908, -0.033, 0.071],  # red3
        [-0.131, 0.308, -0.081],  # green3
        [-0.109, -0.126, 0.073],  # blue3
        [-0.601, 0.262, -0.089],  # red2 green
        [0.053, 0.070, 0.016],  # red2 blue
        [0.233, -0.101, -0.047],  # green2 red
        [0.000, 0.203, 0.184],  # green2 blue
        [0.064, 0.032, -0.046],  # blue2 red
        [-0.089, -0.003, 0.066],  # blue2 green
        [0.421, 0.236, 0.663],  # red green blue
    ],
    dtype=np.float32,
)
"""By term of Pillow's RGB: what it adds to red, green and blue. `python -m benchmarks.press_colours` fits them to
Ghostscript's profile of SWOP and Krita's "Chemical proof", both free."""


def terms(pixels: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    """19 arrays of n, of (n, 3) levels: the terms of the formula, each minus its value for white, which stays white."""
    red, green, blue = (pixels[:, channel].astype(np.float32) / 255 for channel in range(3))
    squares = (red * red, green * green, blue * blue, red * green, green * blue, blue * red)
    cubes = (red * squares[0], green * squares[1], blue * squares[2])
    mixed = (squares[0] * green, squares[0] * blue, squares[1] * red, squares[1] * blue, squares[2] * red)
    values = (red, green, blue, *squares, *cubes, *mixed, squares[2] * green, squares[3] * blue)
    return [np.subtract(value, 1, dtype=np.float32) for value in values]


def printed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(height, width, 3) levels of Pillow's RGB, to those of sRGB."""
    given = terms(pixels.reshape(-1, 3))
    levels = np.empty((pixels.size // 3, 3), dtype=np.uint8)
    for channel in range(3):  # one after the other: NumPy takes longer with the three of a pixel together
        light = np.ones(len(levels), dtype=np.float32)
        for term, factor in zip(given, FACTORS[:, channel], strict=True):
            light += term * factor  # not a matrix product, whose rounding differs between processors
        levels[:, channel] = np.clip(light * 255 + 0.5, 0, 255)
    return levels.reshape(pixels.shape)
