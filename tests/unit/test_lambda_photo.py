"""The type of a photo from its first bytes, and the size limit."""

import pytest

from lambda_fn.errors import ServiceError
from lambda_fn.photo import MAX_BYTES, Photo

JPEG = b"\xff\xd8\xff\xe0"
PNG = b"\x89PNG\r\n\x1a\n"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "


def refusal(data: bytes) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        Photo.of(data)
    return caught.value


@pytest.mark.parametrize(("data", "expected"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
def test_the_type_comes_from_the_bytes(data: bytes, expected: str) -> None:
    assert Photo.of(data).content_type == expected


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg", "SVG"),
        (b"RIFF\0\0\0\0WAVE", "sound"),
        (b"\xff", "unknown"),
    ],
)
def test_an_unsupported_type_is_named_if_it_is_recognised(data: bytes, named: str) -> None:
    error = refusal(data)

    assert error.fault.status == 415
    assert named in error.message


def test_an_empty_photo_is_refused() -> None:
    assert refusal(b"").fault.status == 400


def test_the_largest_photo_is_accepted_and_one_byte_more_is_refused_with_the_limit() -> None:
    assert len(Photo.of(JPEG.ljust(MAX_BYTES, b"x")).data) == MAX_BYTES

    error = refusal(JPEG.ljust(MAX_BYTES + 1, b"x"))
    assert error.fault.status == 413
    assert "6,291,456" in error.message
    assert "4.5 MB" in error.message
