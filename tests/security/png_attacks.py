"""Hostile PNG files."""

import struct
import zlib

from tests.security.forge import (
    FULL,
    GREY,
    GREY_ALPHA,
    IEND,
    PALETTE,
    RGB,
    RGBA,
    SIGNATURE,
    attack,
    chunk,
    filled,
    header,
    photo,
    png,
    rows,
    whole_png,
)


@attack("png-bomb-rgb", 413)
def _bomb() -> bytes:
    """25 million pixels in 170 kB: 100 MB once decoded."""
    return whole_png(5000, 5000)


@attack("png-bomb-rgba-16-bit", 413)
def _bomb_16() -> bytes:
    """The largest kind of pixel, 8 bytes each, just above the limit."""
    return whole_png(4000, 2001, RGBA, 16)


@attack("png-largest-rgba-16-bit", 200)
def _largest_16() -> bytes:
    """As many of the largest pixels as are accepted: the slowest PNG that is accepted."""
    return whole_png(4000, 2000, RGBA, 16)


@attack("png-longest-screenshot", 200)
def _screenshot() -> bytes:
    """12 megapixels with an alpha channel, as phones write screenshots: accepted."""
    return whole_png(4000, 3000, RGBA)


@attack("png-largest-palette", 200)
def _largest_palette() -> bytes:
    """16 million pixels of one byte each are accepted."""
    return whole_png(4000, 4000, PALETTE)


@attack("png-largest-grey-16-bit", 200)
def _largest_grey() -> bytes:
    """16-bit grey, which is converted to RGB by other code."""
    return whole_png(4000, 2000, GREY, 16)


@attack("png-largest-grey-and-alpha", 200)
def _largest_grey_alpha() -> bytes:
    """Grey with alpha: a pixel takes two bytes in the file, four in memory, and eight with its conversion."""
    return whole_png(4000, 3000, GREY_ALPHA)


@attack("png-largest-strip", 200, 413)
def _strip() -> bytes:
    """The longest strip of transparent pixels, which cannot be averaged down."""
    return whole_png(10_000, 500, RGBA)


@attack("png-bomb-one-bit", 413)
def _one_bit() -> bytes:
    """100 million pixels of one bit in 100 kB."""
    return whole_png(10_000, 10_000, GREY, 1)


@attack("png-bomb-65500", 413)
def _huge() -> bytes:
    """4 gigapixels according to the header."""
    return png(header(65500, 65500), rows(8, 8))


@attack("png-largest-numbers", 413, 422)
def _numbers() -> bytes:
    """Sides whose product overflows 32 bits."""
    return png(header(2**31 - 1, 2**31 - 1), rows(8, 8))


@attack("png-negative-numbers", 413, 422)
def _negative() -> bytes:
    """Sides above what the standard allows."""
    return png(header(2**32 - 1, 2**32 - 1), rows(8, 8))


@attack("png-no-width", 422)
def _no_width() -> bytes:
    """0 x 48 pixels."""
    return png(header(0, 48), rows(8, 8))


@attack("png-strip-of-one-row", 422)
def _row() -> bytes:
    """65,000 x 1 pixels would be scaled to 256 x 16 million before the crop."""
    return whole_png(65_000, 1)


@attack("png-less-than-promised", 422)
def _less() -> bytes:
    """A header of 3000 x 3000 pixels over the rows of 8 x 8."""
    return png(header(3000, 3000), rows(8, 8))


@attack("png-more-than-promised", 200, 422)
def _more() -> bytes:
    """64 x 48 pixels according to the header, and 200 MB of rows after it."""
    return png(header(64, 48), rows(8192, 8192))


@attack("png-interlaced-and-cut", 200, 422)
def _interlaced() -> bytes:
    """Seven passes according to the header, and one in the file."""
    return png(header(3000, 3000, RGB, 8, 1), rows(375, 375))


@attack("png-no-such-depth", 422)
def _depth() -> bytes:
    """7 bits a channel."""
    return png(header(64, 48, RGB, 7), rows(64, 48))


@attack("png-no-such-colour", 422)
def _colour() -> bytes:
    """Colour type 5."""
    return png(header(64, 48, 5), rows(64, 48))


@attack("png-no-such-filter", 422)
def _filter() -> bytes:
    """Rows with filter 9, which does not exist."""
    return png(header(64, 48), rows(64, 48, filter=9))


@attack("png-palette-missing", 200, 422)
def _no_palette() -> bytes:
    """Palette indices without a palette."""
    return png(header(64, 48, PALETTE), rows(64, 48, PALETTE))


@attack("png-palette-too-long", 200, 422)
def _long_palette() -> bytes:
    """A palette of 100,000 colours and as many transparencies."""
    long = (chunk(b"PLTE", bytes(300_000)), chunk(b"tRNS", bytes(100_000)))
    return png(header(64, 48, PALETTE), *long, rows(64, 48, PALETTE))


@attack("png-transparency-of-another-kind", 200, 422)
def _transparency() -> bytes:
    """A transparency of one byte where RGB has six."""
    return png(header(64, 48), chunk(b"tRNS", b"\1"), rows(64, 48))


@attack("png-two-headers", 200, 413, 422)
def _two_headers() -> bytes:
    """A small header for a reader of the first one, and a large header after it."""
    return png(header(64, 48), header(30_000, 30_000), rows(64, 48))


@attack("png-header-last", 422)
def _header_last() -> bytes:
    """Pixels before their header."""
    return png(rows(64, 48), header(64, 48))


@attack("png-text-bomb", 200)
def _text_bomb() -> bytes:
    """60 texts of a megabyte each in 60 kB; Pillow would keep them all."""
    return whole_png(64, 48, RGB, 8, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**20), 9)) * 60)


@attack("png-international-text-bomb", 200)
def _itext_bomb() -> bytes:
    """The same in a chunk of international text, which other code unpacks: 256 MB in one chunk."""
    packer = zlib.compressobj(9)
    flood = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    return whole_png(64, 48, RGB, 8, chunk(b"iTXt", b"k\0\1\0\0\0" + flood))


@attack("png-profile-bomb", 200)
def _profile_bomb() -> bytes:
    """A colour profile that unpacks to 256 MB."""
    packer = zlib.compressobj(9)
    flood = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    return whole_png(64, 48, RGB, 8, chunk(b"iCCP", b"k\0\0" + flood))


@attack("png-profiles-that-break-at-their-end", 200)
def _broken_profiles() -> bytes:
    """4,900 colour profiles, each of which unpacks to 255 kB before its checksum turns out to be wrong."""
    flood = zlib.compress(bytes(255_000), 9)[:-4] + bytes(4)
    return whole_png(64, 48, RGB, 8, chunk(b"iCCP", b"k\0\0" + flood) * 4900)


@attack("png-exif-of-tags-beyond-its-end", 200)
def _exif_beyond() -> bytes:
    """4,900 directories that announce 65,535 tags and have none."""
    return whole_png(64, 48, RGB, 8, chunk(b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 0xFFFF)) * 4900)


@attack("png-largest-16-bit-with-a-transparent-colour", 200)
def _largest_16_transparent() -> bytes:
    """16-bit RGB with one transparent colour, which is decoded twice."""
    return whole_png(2000, 2000, RGB, 16, chunk(b"tRNS", b"\1" * 6))


@attack("png-exif-bomb", 200)
def _exif_bomb() -> bytes:
    """2,000 tags that all point at the same 400 kB."""
    entries = b"".join(struct.pack(">HHII", tag + 1, 7, 400_000, 8) for tag in range(2000))
    exif = b"MM\0*" + struct.pack(">IH", 8, 2000) + entries + bytes(400_000)
    return whole_png(64, 48, RGB, 8, chunk(b"eXIf", exif))


@attack("png-exif-of-endless-tags", 200)
def _exif_tags() -> bytes:
    """65,535 tags in one directory, 6 MB of the next ones."""
    entries = filled(struct.pack(">HHII", 0xFFFF, 3, 1, 0))
    return whole_png(64, 48, RGB, 8, chunk(b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 0xFFFF) + entries))


@attack("png-half-a-million-private-chunks", 422)
def _private() -> bytes:
    """Unknown chunks, 12 bytes each; Pillow keeps every one."""
    return png(header(64, 48), filled(chunk(b"abCd")), rows(64, 48))


@attack("png-half-a-million-empty-rows", 422)
def _empty_rows() -> bytes:
    """Empty IDAT chunks, each an iteration of Pillow's loop."""
    return png(header(64, 48), filled(chunk(b"IDAT")), rows(64, 48))


@attack("png-half-a-million-chunks-behind", 422)
def _behind() -> bytes:
    """The same after the pixels."""
    return png(header(64, 48), rows(64, 48), filled(chunk(b"IDAT")))


@attack("png-animation-of-endless-frames", 200, 422)
def _animation() -> bytes:
    """An APNG that announces 4 billion frames and contains few."""
    control = struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0)
    promised = chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))
    return png(header(64, 48), promised, filled(chunk(b"fcTL", control), 190_000), rows(64, 48))


@attack("png-animation-that-starts-outside", 200, 422)
def _animation_outside() -> bytes:
    """An APNG whose first frame is larger than the canvas."""
    control = struct.pack(">IIIIIHHBB", 0, 60_000, 60_000, 30_000, 30_000, 1, 10, 0, 0)
    promised = chunk(b"acTL", struct.pack(">II", 2, 0))
    return png(header(64, 48), promised, chunk(b"fcTL", control), rows(64, 48))


@attack("png-chunk-longer-than-the-file", 422)
def _long_chunk() -> bytes:
    """A chunk that claims 2 GB."""
    return SIGNATURE + header(64, 48) + struct.pack(">I", 2**31 - 1) + b"IDAT" + bytes(100)


@attack("png-wrong-checksum", 200, 422)
def _checksum() -> bytes:
    """Rows with a wrong checksum."""
    sound = bytearray(whole_png(64, 48))
    sound[-len(IEND) - 1] ^= 1
    return bytes(sound)


@attack("png-with-a-page-behind", 200)
def _polyglot() -> bytes:
    """A photo for a decoder, an HTML page for a browser."""
    return photo("PNG") + b"<script>alert(document.domain)</script>"


@attack("png-with-an-archive-behind", 200)
def _archive() -> bytes:
    """A photo with 6 MB of something else after it."""
    return photo("PNG") + b"PK\3\4" + bytes(FULL)
