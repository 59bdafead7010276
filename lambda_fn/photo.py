"""A photo's bytes, and the type that its first bytes show. Nothing is decoded here."""

from dataclasses import dataclass
from typing import Self

from inference.photo.file_types import file_type, refusal
from lambda_fn.errors import BAD_REQUEST, TOO_LARGE, UNSUPPORTED_TYPE, ServiceError

MAX_BYTES = 6_291_456
"""SageMaker's limit on a real-time request. A Lambda event can contain a photo of about 4.5 MB, because it is in
base64."""
LIMITS = (
    "The endpoint accepts at most 6 MiB (6,291,456 bytes), and an event of 6 MB a photo of about 4.5 MB in base64. "
    "Scale the photo down: the model uses a few hundred pixels a side."
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
        found = file_type(data)
        if not found.is_decoded:
            raise ServiceError(UNSUPPORTED_TYPE, refusal(data))
        return cls(data, found.media_type)


def check_size(size: int) -> None:
    """Raise ServiceError, with the limit, for more bytes than the endpoint accepts."""
    if size > MAX_BYTES:
        raise ServiceError(TOO_LARGE, f"The photo has {size:,} bytes. {LIMITS}")
