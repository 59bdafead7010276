"""What the first bytes of a file say it is, whatever its name or its content type says, and what to do with it.

One table for the server, the Lambda function, `kennel predict`, `kennel data check` and training, so that all of them
name the same cause. Standard library only, because the function's package contains this module and no decoder
(docs/decisions/0099). Sources of the signatures: the formats' own specifications, and for the boxes of HEIC, AVIF and
video https://mp4ra.org/registered-types/brands.
"""

from dataclasses import dataclass

HEAD_BYTES = 4096
"""As many first bytes as are looked at. A drawing (SVG) may begin with a long comment."""

JPEG_SIGNATURE, PNG_SIGNATURE = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class FileType:
    name: str
    """For tables and counts, such as HEIC."""
    description: str
    """For a sentence that begins with "The file is"."""
    remedy: str = ""
    """What to do with such a file. Empty for the types that are decoded."""
    media_type: str = ""
    """Of the types that are decoded; empty for all others."""

    @property
    def is_decoded(self) -> bool:
        """Whether serving and training read photos of this type."""
        return bool(self.media_type)


JPEG = FileType("JPEG", "a JPEG", media_type="image/jpeg")
PNG = FileType("PNG", "a PNG", media_type="image/png")
WEBP = FileType("WebP", "a WebP", media_type="image/webp")

_TO_JPEG = "export it as JPEG"
_COPY_AGAIN = "copy or download the photo again"

EMPTY = FileType("empty", "empty, it has 0 bytes", _COPY_AGAIN)
ZEROS = FileType("zero bytes", "not a photo, it begins with zero bytes alone: its copy was not completed", _COPY_AGAIN)
CUT_OFF = FileType("cut off", "cut off after the first bytes of a photo", _COPY_AGAIN)
GIF = FileType("GIF", "a GIF", "save it as PNG or JPEG")
BMP = FileType("BMP", "a BMP", "save it as PNG or JPEG")
AVIF = FileType("AVIF", "an AVIF image", _TO_JPEG)
HEIC = FileType("HEIC", "a HEIC image, which phones save", _TO_JPEG)
HEIF = FileType("HEIF", "a HEIF image, which phones and cameras save", _TO_JPEG)
JPEG_XL = FileType("JPEG XL", "a JPEG XL image", _TO_JPEG)
JPEG_2000 = FileType("JPEG 2000", "a JPEG 2000 image", _TO_JPEG)
JPEG_XR = FileType("JPEG XR", "a JPEG XR image", _TO_JPEG)
TIFF = FileType("TIFF", "a TIFF, or a camera's raw photo in the form of a TIFF (DNG, NEF, ARW)", _TO_JPEG)
RAW = FileType("camera raw", "a camera's raw photo", _TO_JPEG)
PHOTOSHOP = FileType("PSD", "a Photoshop document", _TO_JPEG)
ICON = FileType("ICO", "a Windows icon", "use a photo instead")
SVG = FileType("SVG", "a drawing (SVG)", "export it as PNG")
PDF = FileType("PDF", "a PDF document", "export its picture as JPEG")
VIDEO = FileType("video", "a video", "save one of its pictures as JPEG")
SOUND = FileType("sound", "a sound recording", "use a photo instead")
ARCHIVE = FileType("archive", "an archive (ZIP, gzip, RAR or 7z)", "unpack it, and use the photos in it")
HTML = FileType(
    "HTML",
    "a web page, such as an error page that was saved under a photo's name",
    "download the photo itself",
)
XML = FileType(
    "XML",
    "XML, such as an error message of S3 that was saved under a photo's name",
    "open it in an editor to read the message, then download the photo again",
)
JSON = FileType(
    "JSON",
    "JSON, such as an error message that was saved under a photo's name",
    "open it in an editor to read it, then download the photo again",
)
LFS_POINTER = FileType(
    "Git LFS pointer", "a pointer of Git LFS and not the photo itself", "fetch the photos with `git lfs pull`"
)
ANNEX_POINTER = FileType(
    "git-annex pointer", "a pointer of git-annex and not the photo itself", "fetch the photos with `git annex get`"
)
TEXT = FileType("text", "text", "open it in an editor to read it, then copy or download the photo again")
APPLE_DOUBLE = FileType(
    "AppleDouble",
    "what macOS stores beside a photo (its name begins with ._) and not the photo itself",
    "use the file without ._",
)
UNKNOWN = FileType("unknown", "of an unknown type", "save the photo as JPEG, PNG or WebP")

_SIGNATURES = (
    # (first bytes, type); RAW before TIFF, because most raw photos begin as a TIFF does
    (JPEG_SIGNATURE, JPEG),
    (PNG_SIGNATURE, PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIU\0", RAW),  # Panasonic
    (b"IIRO", RAW),  # Olympus
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FOVb", RAW),  # Sigma
    (b"II\xbc", JPEG_XR),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),  # BigTIFF
    (b"MM\0+", TIFF),
    (b"\xff\x0a", JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"8BPS", PHOTOSHOP),
    (b"\0\0\x01\0", ICON),
    (b"\0\x05\x16\x07", APPLE_DOUBLE),
    (b"%PDF-", PDF),
    (b"\x1aE\xdf\xa3", VIDEO),  # Matroska and WebM
    (b"\0\0\x01\xba", VIDEO),  # MPEG
    (b"\0\0\x01\xb3", VIDEO),
    (b"FLV\x01", VIDEO),
    (b"OggS", VIDEO),
    (b"ID3", SOUND),
    (b"PK\x03\x04", ARCHIVE),
    (b"PK\x05\x06", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"version https://git-lfs.github.com/spec/", LFS_POINTER),
    (b"version https://hawser.github.com/spec/", LFS_POINTER),
    (b"/annex/objects/", ANNEX_POINTER),
)
_RIFF = {b"WEBP": WEBP, b"AVI ": VIDEO, b"WAVE": SOUND}
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Bytes of a BMP's second header. `BM` alone could begin a text."""

_SPACES = str.maketrans("", "", "\t\r\n\f")
"""Python's `isprintable` takes them for control characters, and they are in most texts."""
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"jpeg", b"jpgs", b"avci", b"avcs"})
_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""First boxes of a MOV of before `ftyp` was written."""


def file_type(content: bytes) -> FileType:
    """The type of a file's content, by its first HEAD_BYTES bytes; more do no harm. UNKNOWN if no signature fits."""
    head = bytes(content[:HEAD_BYTES])
    if not head:
        return EMPTY
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return RAW if found is TIFF and head[8:10] == b"CR" else found  # Canon's CR2
    return _boxed(head) or _bitmap(head) or _damaged(head) or _text(head) or UNKNOWN


def media_type(content: bytes) -> str:
    """image/jpeg, image/png or image/webp; empty for any other content."""
    return file_type(content).media_type


def refusal(content: bytes) -> str:
    """The sentence for content that is not decoded: what it is, and what to do with it."""
    found = file_type(content)
    return f"The file is {found.description}; {found.remedy}."


def _boxed(head: bytes) -> FileType | None:
    """RIFF, and the boxes of ISO 14496-12: a size of 4 bytes, then a type of 4."""
    if head.startswith(b"RIFF") and len(head) >= 12:
        return _RIFF.get(head[8:12])
    if head[4:8] in _QUICKTIME_BOXES:
        return VIDEO
    if head[4:8] != b"ftyp" or len(head) < 12:
        return None
    end = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    if brands[0] == b"crx ":  # Canon's CR3
        return RAW
    if brands[0] in _AVIF_BRANDS | _HEIC_BRANDS:
        return AVIF if brands[0] in _AVIF_BRANDS else HEIC
    if brands[0] not in _HEIF_BRANDS:
        return VIDEO
    # `mif1` is any image of this container: the other brands say how its picture is stored
    others = set(brands)
    return AVIF if others & _AVIF_BRANDS else HEIC if others & _HEIC_BRANDS else HEIF


def _bitmap(head: bytes) -> FileType | None:
    is_bitmap = head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return BMP if is_bitmap else None


def _damaged(head: bytes) -> FileType | None:
    if len(head) < 2:
        return None
    if JPEG_SIGNATURE.startswith(head) or PNG_SIGNATURE.startswith(head):
        return CUT_OFF
    if len(head) < 12 and head.startswith(b"RIFF"):
        return CUT_OFF
    return None if head.strip(b"\0") else ZEROS


def _text(head: bytes) -> FileType | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    start = text.lower()
    if start.startswith(b"<"):
        if b"<svg" in start:
            return SVG
        if b"<html" in start or start.startswith((b"<!doctype html", b"<head", b"<body", b"<!--")):
            return HTML
        return XML
    if text.startswith((b"{", b"[")):
        return JSON
    return TEXT if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character of up to 4 bytes may be cut off at the end
            return False
        text = head[: error.start].decode()
    return bool(text) and text.translate(_SPACES).isprintable()
