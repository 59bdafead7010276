"""Hostile WebP files."""

from tests.security.forge import FULL, attack, bitstream, extended, filled, frame, lossless_of, photo, riff, webp

ANIMATED, EXIF = 2, 8
CONTROL = riff(b"ANIM", bytes(6))


@attack("webp-bomb-largest", 413)
def _largest() -> bytes:
    """16,383 x 16,383 pixels according to the header, in 40 bytes."""
    return lossless_of(16383, 16383)


@attack("webp-bomb-under-pillows-limit", 413)
def _under() -> bytes:
    """As many pixels as Pillow's own limit allows."""
    return lossless_of(7000, 7000)


@attack("webp-largest-accepted", 200)
def _accepted() -> bytes:
    """As many pixels as are accepted, in 40 bytes."""
    return photo("WEBP", (2400, 1800), lossless=True)


@attack("webp-bomb-lossless", 413)
def _lossless() -> bytes:
    """25 megapixels in 40 bytes, which would really decode, to 450 MB."""
    return photo("WEBP", (5000, 5000), lossless=True, method=0)


@attack("webp-bomb-lossy", 413)
def _lossy() -> bytes:
    """12 megapixels of one colour in 20 kB, for which Pillow takes 180 MB."""
    return photo("WEBP", (4000, 3000), quality=1)


@attack("webp-canvas-of-terapixels", 413, 422)
def _canvas() -> bytes:
    """A canvas of 16 million x 16 million."""
    return webp(extended(2**24, 2**24), bitstream())


@attack("webp-canvas-larger-than-its-picture", 200, 413, 422)
def _lying_canvas() -> bytes:
    """A canvas of 10,000 x 10,000 around a picture of 64 x 48."""
    return webp(extended(10_000, 10_000, ANIMATED), CONTROL, frame(bitstream()))


@attack("webp-picture-larger-than-its-canvas", 422)
def _lying_picture() -> bytes:
    """A canvas of 64 x 48 around a frame of 12 megapixels."""
    return webp(extended(64, 48, ANIMATED), CONTROL, frame(bitstream((4000, 3000), quality=1), size=(4000, 3000)))


@attack("webp-frame-outside-its-canvas", 422)
def _outside() -> bytes:
    """A frame that begins 30 million pixels to the right."""
    return webp(extended(64, 48, ANIMATED), CONTROL, frame(bitstream(), 2**24, 0))


@attack("webp-many-frames", 200, 422)
def _frames() -> bytes:
    """An animation of 4,000 frames, of which the first is used."""
    return webp(extended(64, 48, ANIMATED), CONTROL, 4000 * frame(bitstream()))


@attack("webp-endless-frames", 422)
def _endless() -> bytes:
    """6 MB of frames."""
    return webp(extended(64, 48, ANIMATED), CONTROL, filled(frame(bitstream())))


@attack("webp-animation-without-frames", 422)
def _nothing() -> bytes:
    """An animation without a frame."""
    return webp(extended(64, 48, ANIMATED), CONTROL)


@attack("webp-unknown-chunks", 422)
def _unknown() -> bytes:
    """700,000 unknown chunks; libwebp keeps a record of each."""
    return webp(extended(64, 48), filled(riff(b"abcd", b"")), bitstream())


@attack("webp-exif-of-six-megabytes", 200)
def _exif() -> bytes:
    """EXIF of 6 MB without an orientation."""
    return webp(extended(64, 48, EXIF), bitstream(), riff(b"EXIF", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(FULL)))


@attack("webp-chunk-longer-than-the-file", 422)
def _long() -> bytes:
    """A chunk that claims 4 GB."""
    return b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + bitstream()[8:]


@attack("webp-no-bitstream", 422)
def _no_bitstream() -> bytes:
    """A header and nothing after it."""
    return webp(extended(64, 48))


@attack("webp-no-size", 413, 422)
def _no_size() -> bytes:
    """A lossy picture of 0 x 0 pixels."""
    content = bytearray(photo("WEBP"))
    content[26:30] = bytes(4)
    return bytes(content)


@attack("webp-strip", 422)
def _strip() -> bytes:
    """16,383 x 2 pixels."""
    return lossless_of(16383, 2)


@attack("webp-cut-off", 422)
def _cut() -> bytes:
    """Half of a photo."""
    sound = photo("WEBP", (600, 400))
    return sound[: len(sound) // 2]


@attack("webp-container-with-sound", 415)
def _wave() -> bytes:
    """The same container with sound in it."""
    return photo("WEBP").replace(b"WEBP", b"WAVE", 1)
