"""A photo's bytes, and the type that its first bytes show. Nothing is decoded here."""

from dataclasses import dataclass
from typing import Self

from lambda_fn.errors import BAD_REQUEST, TOO_LARGE, UNSUPPORTED_TYPE, ServiceError

MAX_BYTES = 6_291_456
"""SageMaker's limit on a real-time request. A Lambda event can contain a photo of about 4.5 MB, because it is in
base64."""
LIMITS = (
    "The endpoint accepts at most 6 MiB (6,291,456 bytes), and an event of 6 MB a photo of about 4.5 MB in base64. "
    "Scale the photo down: the model uses a few hundred pixels a side."
)

_FOREIGN = (
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyp", "a HEIC image or a video"),
    (0, b"%PDF", "a PDF"),
    (0, b"<", "an SVG or a web page"),
    (0, b"{", "JSON"),
)


@dataclass(frozen=True, slots=True)
class Photo:
    data: bytes
    content_type: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The photo in `data`. Raises ServiceError if it is empty, too large, or neither JPEG, PNG nor WebP."""
        if not data:
            raise ServiceError(BAD_REQUEST, "The photo is empty: it has 0 bytes.")
        check_size(len(data))
        content_type = sniff(data)
        if content_type is None:
            found = next((name for at, magic, name in _FOREIGN if data.startswith(magic, at)), None)
            problem = f"This is {found}" if found else "The first bytes are not those of a photo"
            raise ServiceError(UNSUPPORTED_TYPE, f"{problem}; send a JPEG, PNG or WebP.")
        return cls(data, content_type)


def check_size(size: int) -> None:
    """Raise ServiceError, with the limit, for more bytes than the endpoint accepts."""
    if size > MAX_BYTES:
        raise ServiceError(TOO_LARGE, f"The photo has {size:,} bytes. {LIMITS}")


def sniff(data: bytes) -> str | None:
    """The media type of a JPEG, PNG or WebP; None for anything else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None
