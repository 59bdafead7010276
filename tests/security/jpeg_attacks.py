"""Hostile JPEG files."""

import io
import struct

from PIL import Image

from tests.security.forge import EOI, FULL, SOI, after_soi, attack, filled, photo, segment, with_size


@attack("jpeg-bomb-65500", 413)
def _huge() -> bytes:
    """4 gigapixels according to the header."""
    return with_size(photo("JPEG"), 65500, 65500)


@attack("jpeg-bomb-baseline", 413)
def _bomb() -> bytes:
    """Just above the limit for a JPEG that is scaled while it is decoded."""
    return with_size(photo("JPEG"), 16_000, 15_626)


@attack("jpeg-largest-baseline", 200)
def _largest() -> bytes:
    """250 megapixels according to the header, to be rotated, with one row of data: libjpeg fills in the rest."""
    turned = Image.Exif()
    turned[0x0112] = 6
    return with_size(photo("JPEG", subsampling=0, exif=turned.tobytes()), 16_000, 15_624)


@attack("jpeg-largest-sound", 200)
def _sound() -> bytes:
    """200 megapixels with all their data, as a phone writes them."""
    return photo("JPEG", (16_320, 12_240), quality=30)


@attack("jpeg-bomb-progressive", 413)
def _progressive() -> bytes:
    """A progressive JPEG needs memory for all its coefficients, 6 bytes a pixel."""
    return with_size(photo("JPEG", progressive=True), 5000, 5000)


@attack("jpeg-largest-progressive", 200)
def _largest_progressive() -> bytes:
    """12 megapixels, progressive, colours at half the size: accepted."""
    return photo("JPEG", (4000, 3000), progressive=True, quality=30)


@attack("jpeg-bomb-progressive-cmyk", 413)
def _cmyk() -> bytes:
    """Four colours, none of them at half the size: 8 bytes a pixel."""
    return photo("JPEG", (4000, 3000), "CMYK", progressive=True, quality=30, subsampling=0)


@attack("jpeg-one-scan-per-colour", 413)
def _collected() -> bytes:
    """A baseline JPEG with one scan per colour: libjpeg buffers all coefficients, although no header says so."""
    return _one_scan_per_colour(7000, 7000)


@attack("jpeg-one-scan-per-colour-disguised", 413, 422)
def _disguised() -> bytes:
    """The same, with three components in the first scan's header and one in the frame that Pillow sees last."""
    jpeg = _one_scan_per_colour(7000, 7000)
    frame = jpeg[jpeg.index(b"\xff\xc0") :][:19]
    one = segment(0xC0, struct.pack(">BHHB", 8, 7000, 7000, 1) + b"\1\x11\0")
    return jpeg.replace(frame, frame + one)


def _one_scan_per_colour(width: int, height: int) -> bytes:
    jpeg = with_size(photo("JPEG", subsampling=0), width, height)
    start = jpeg.index(b"\xff\xda")
    data = jpeg[start + 14 : -2]
    scans = b"".join(segment(0xDA, bytes([1, part, tables, 0, 63, 0])) + data for part, tables in ((1, 0), (2, 0x11)))
    return jpeg[:start] + scans + EOI


@attack("jpeg-of-endless-scans", 422)
def _scans() -> bytes:
    """100,000 scans, each a pass over all pixels."""
    jpeg = photo("JPEG", (2000, 1500), progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + filled(last, 1_000_000) + EOI


@attack("jpeg-of-as-many-scans-as-allowed", 200)
def _most_scans() -> bytes:
    """12 megapixels and 20 scans, the slowest progressive JPEG that is accepted."""
    return _scanned(20)


@attack("jpeg-of-one-scan-too-many", 422)
def _too_many_scans() -> bytes:
    """12 megapixels and 21 scans."""
    return _scanned(21)


def _scanned(scans: int) -> bytes:
    jpeg = photo("JPEG", (4000, 3000), progressive=True, quality=30)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + (scans - jpeg.count(b"\xff\xda")) * last + EOI


@attack("jpeg-no-height", 422)
def _no_height() -> bytes:
    """A height of 0, which a later segment could define."""
    return with_size(photo("JPEG"), 64, 0)


@attack("jpeg-strip-of-one-column", 422)
def _column() -> bytes:
    """1 x 65,500 pixels."""
    return with_size(photo("JPEG"), 1, 65500)


@attack("jpeg-no-components", 422)
def _no_components() -> bytes:
    """A frame of no components."""
    jpeg = bytearray(photo("JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 9] = 0
    return bytes(jpeg)


@attack("jpeg-sampling-zero", 422)
def _no_sampling() -> bytes:
    """Components sampled 0 x 0."""
    jpeg = photo("JPEG")
    start = jpeg.index(b"\xff\xc0") + 10
    return jpeg[:start] + b"\1\0\0\2\0\1\3\0\1" + jpeg[start + 9 :]


@attack("jpeg-sampling-largest", 200, 422)
def _most_sampling() -> bytes:
    """Components sampled 15 x 15; the limit of the standard is 4 x 4."""
    jpeg = photo("JPEG")
    start = jpeg.index(b"\xff\xc0") + 10
    return jpeg[:start] + b"\1\xff\0\2\xff\1\3\xff\1" + jpeg[start + 9 :]


@attack("jpeg-two-frames", 413, 422)
def _two_frames() -> bytes:
    """A small frame for a reader of the first one, and a large frame after it."""
    jpeg = photo("JPEG")
    frame = jpeg[jpeg.index(b"\xff\xc0") :][:19]
    return jpeg.replace(frame, frame + with_size(frame, 60_000, 60_000))


@attack("jpeg-arithmetic", 200, 413, 422)
def _arithmetic() -> bytes:
    """Arithmetic coding, which few programs write, at 250 megapixels: the slowest JPEG that is accepted."""
    return with_size(photo("JPEG"), 16_000, 15_624).replace(b"\xff\xc0", b"\xff\xc9")


@attack("jpeg-lossless", 422)
def _lossless() -> bytes:
    """A frame of the lossless kind."""
    return photo("JPEG").replace(b"\xff\xc0", b"\xff\xc3")


@attack("jpeg-twelve-bits", 422)
def _twelve_bits() -> bytes:
    """12 bits a sample."""
    jpeg = bytearray(photo("JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    return bytes(jpeg)


@attack("jpeg-no-tables", 200)
def _no_tables() -> bytes:
    """A scan without Huffman tables, as in Motion JPEG: libjpeg uses the standard's."""
    jpeg = photo("JPEG")
    return jpeg[: jpeg.index(b"\xff\xc4")] + jpeg[jpeg.index(b"\xff\xda") :]


@attack("jpeg-six-million-fill-bytes", 200)
def _fill() -> bytes:
    """Fill bytes before the first header: Pillow reads them one by one, in Python."""
    return after_soi(photo("JPEG"), b"\xff" * FULL)


@attack("jpeg-millions-of-comments", 422)
def _comments() -> bytes:
    """Empty comments, 4 bytes each; Pillow keeps every one."""
    return after_soi(photo("JPEG"), filled(segment(0xFE)))


@attack("jpeg-millions-of-restarts", 422)
def _restarts() -> bytes:
    """Restart markers, 2 bytes each, outside a scan."""
    return after_soi(photo("JPEG"), filled(b"\xff\xd0"))


@attack("jpeg-millions-of-tables", 422)
def _tables() -> bytes:
    """Empty quantisation tables."""
    return after_soi(photo("JPEG"), filled(segment(0xDB)))


@attack("jpeg-segment-longer-than-the-file", 422)
def _long() -> bytes:
    """A segment that claims 65 kB in a file of 1 kB."""
    return after_soi(photo("JPEG"), b"\xff\xe1\xff\xff")


@attack("jpeg-segment-of-no-length", 422)
def _no_length() -> bytes:
    """A segment with a length of 0, less than the length field itself."""
    return after_soi(photo("JPEG"), b"\xff\xe1\0\0")


@attack("jpeg-photoshop-blocks", 200)
def _photoshop() -> bytes:
    """Half a million of Photoshop's blocks, 12 bytes each."""
    return after_soi(photo("JPEG"), filled(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\0\1\0\0\0\0\0\0" * 5400)))


@attack("jpeg-profile-of-endless-parts", 422)
def _profile() -> bytes:
    """A colour profile in 300,000 parts."""
    return after_soi(photo("JPEG"), filled(segment(0xE2, b"ICC_PROFILE\0\1\1")))


@attack("jpeg-profile-of-full-parts", 200)
def _full_profile() -> bytes:
    """A colour profile of 6 MB."""
    return after_soi(photo("JPEG"), filled(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000))))


@attack("jpeg-exif-bomb", 200)
def _exif() -> bytes:
    """2,600 tags that all point at the same 33 kB."""
    entries = b"".join(struct.pack(">HHII", tag + 1, 7, 33_000, 8) for tag in range(2600))
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2600) + entries + bytes(33_000)
    return after_soi(photo("JPEG"), segment(0xE1, exif))


@attack("jpeg-exif-of-tags-beyond-its-end", 200)
def _exif_beyond() -> bytes:
    """4,900 directories that announce 65,535 tags and have none."""
    exif = segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 0xFFFF))
    return after_soi(photo("JPEG"), exif * 4900)


@attack("jpeg-exif-loop", 200)
def _exif_loop() -> bytes:
    """An EXIF directory whose next directory, and whose sub-directory, is itself."""
    entry = struct.pack(">HHII", 0x8769, 4, 1, 8)
    return after_soi(photo("JPEG"), segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\x08"))


@attack("jpeg-exif-outside-the-file", 200)
def _exif_outside() -> bytes:
    """An EXIF directory 4 GB after the end of the file."""
    return after_soi(photo("JPEG"), segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"))


@attack("jpeg-orientation-of-a-gigabyte", 200)
def _exif_orientation() -> bytes:
    """An orientation that has a billion values."""
    entry = struct.pack(">HHII", 0x0112, 3, 2**30, 8)
    return after_soi(photo("JPEG"), segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry))


@attack("jpeg-extended-xmp", 200)
def _xmp() -> bytes:
    """6 MB of XMP in parts."""
    return after_soi(photo("JPEG"), filled(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x " * 20_000)))


@attack("jpeg-four-billion-pictures", 200)
def _pictures() -> bytes:
    """A multi-picture file, as phones write it, whose index announces 4 billion pictures."""
    index = b"MPF\0MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHII", 0xB001, 4, 1, 2**32 - 1)
    return after_soi(photo("JPEG"), segment(0xE2, index + bytes(4)))


@attack("jpeg-cut-off", 422)
def _cut() -> bytes:
    """Half of a photo."""
    buffer = io.BytesIO()
    Image.effect_noise((600, 400), 80).save(buffer, "JPEG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


@attack("jpeg-of-two-bytes", 415)
def _two_bytes() -> bytes:
    """The first two bytes of a photo."""
    return SOI


@attack("jpeg-with-a-page-inside", 200)
def _polyglot() -> bytes:
    """An HTML page in a comment."""
    return after_soi(photo("JPEG"), segment(0xFE, b"<html><script>alert(1)</script><!--"))


@attack("jpeg-with-six-million-bytes-behind", 200)
def _behind() -> bytes:
    """A photo, and 6 MB of something else after its end."""
    return photo("JPEG") + b"PK\3\4" + bytes(FULL)
