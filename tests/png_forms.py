"""PNG files of every form that the specification has, made of known samples, and the pixels that they show on white.

https://www.w3.org/TR/png-3/: colour types and depths (11.2.1), Adam7 (8.1), transparency (11.3.1.1), scaling of samples
(13.12). The expected pixels follow from the samples, so no decoder is compared with itself.
"""

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.uint16]

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
NAMES = {GREY: "grey", RGB: "RGB", PALETTE: "palette", GREY_ALPHA: "grey and alpha", RGBA: "RGBA"}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass: first column, first row, step of columns, step of rows."""


@dataclass(frozen=True)
class Form:
    """One form of PNG. `key`: the transparent colour of tRNS. `alphas`: the palette's opacities, which tRNS has too."""

    colour: int
    depth: int
    interlaced: bool = False
    key: tuple[int, ...] | None = None
    alphas: bytes = b""
    palette: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        hidden = ", one colour transparent" if self.key else ", entries transparent" if self.alphas else ""
        return f"{NAMES[self.colour]} of {self.depth} bits{hidden}{', interlaced' if self.interlaced else ''}"


def samples(form: Form, size: tuple[int, int] = (23, 17), seed: int = 0) -> Samples:
    """(height, width, channels) samples. Some pixels have the transparent colour, and some almost have it."""
    dice, channels = np.random.default_rng(seed), CHANNELS[form.colour]
    most = len(form.palette) // 3 if form.colour == PALETTE else 1 << form.depth
    found = dice.integers(0, most, (size[1], size[0], channels)).astype(np.uint16)
    if form.key:
        found[2:6, 3:9] = form.key
        for shift in range(min(form.depth, 9)):  # a colour that differs in one bit is not transparent
            found[8, shift] = np.array(form.key) ^ np.array([1 << shift, *(0,) * (channels - 1)])
        found[9, :channels] = np.array(form.key) ^ np.eye(channels, dtype=int)
    if form.colour in (GREY_ALPHA, RGBA):
        found[0, :, -1], found[1, :, -1] = 0, (1 << form.depth) - 1
    return found


def shown(form: Form, found: Samples) -> npt.NDArray[np.float64]:
    """(height, width, 3) red, green and blue of 0 to 255, on white, not rounded."""
    most, pixels = (1 << form.depth) - 1, found.astype(float)
    if form.colour == PALETTE:
        index = found[..., 0]
        colours = np.frombuffer(form.palette, np.uint8).reshape(-1, 3).astype(float)[index]
        opacity = np.frombuffer(form.alphas.ljust(256, b"\xff"), np.uint8)[index] / 255
    elif form.colour in (GREY_ALPHA, RGBA):
        colours, opacity = pixels[..., :-1] / most * 255, pixels[..., -1] / most
    else:
        colours, opacity = pixels / most * 255, np.ones(found.shape[:2])
        if form.key:
            # exact: samples are whole numbers
            opacity = 1.0 - (found == np.array(form.key)).all(axis=2)
    colours = np.broadcast_to(colours, (*found.shape[:2], 3))
    return colours * opacity[..., np.newaxis] + 255 * (1 - opacity[..., np.newaxis])


def written(form: Form, found: Samples) -> bytes:
    """The PNG file of the samples."""
    height, width, _ = found.shape
    passes = _ADAM7 if form.interlaced else ((0, 0, 1, 1),)
    rows = b"".join(
        b"\0" + _packed(row, form.depth)
        for left, top, across, down in passes
        for row in found[top::down, left::across]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, form.depth, form.colour, 0, 0, form.interlaced)
    chunks = [(b"IHDR", header)]
    if form.palette:
        chunks.append((b"PLTE", form.palette))
    if form.key or form.alphas:
        chunks.append((b"tRNS", form.alphas or struct.pack(f">{len(form.key or ())}H", *(form.key or ()))))
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _packed(row: Samples, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(bits).tobytes()


def every_form() -> list[Form]:
    """Each colour type and depth, interlaced or not, without transparency and with each kind that it may have."""
    forms = []
    for colour, depths in DEPTHS.items():
        for depth in depths:
            most = (1 << depth) - 1
            keys: dict[int, list[tuple[int, ...]]] = {
                GREY: [(0,), (most * 2 // 3,)],
                RGB: [(0, 0, 0), (most, most // 3, most // 5)],
            }
            colours = min(1 << depth, 200)
            palette = bytes(np.random.default_rng(depth).integers(0, 256, 3 * colours, dtype=np.uint8))
            for interlaced in (False, True):
                own = Form(colour, depth, interlaced, palette=palette if colour == PALETTE else b"")
                forms.append(own)
                forms += [Form(colour, depth, interlaced, key=key) for key in keys.get(colour, [])]
                if colour == PALETTE:
                    for alphas in (b"\0", b"\xff\0", bytes([128, 40, 0, 255, 3, 200][:colours])):
                        forms.append(Form(colour, depth, interlaced, alphas=alphas, palette=palette))
    return forms
