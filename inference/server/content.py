"""What a body is. Its bytes decide; the content type only chooses the sentence of a refusal."""

from inference.photo.file_types import JPEG_SIGNATURE, JSON, PNG_SIGNATURE, file_type
from inference.server import batch
from inference.server.errors import RequestError

_FORM = "application/x-www-form-urlencoded"
_SEND = "send the bytes of the photo themselves as the body: curl --data-binary @photo.jpg"

_BASE64 = (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"data:image/")
"""How the base64 of a JPEG, PNG and WebP begins, and a data URL."""

_LOST_BY_CURL = (b"\0", b"\r", b"\n")
"""Bytes that `curl -d @photo.jpg` removes. Every photo has some: the lengths of its parts have zeros."""


def is_batch(body: bytes, content_type: str) -> bool:
    """Whether the body is a batch, which may be malformed; otherwise it is one photo, which may be none.

    A photo is a photo under any content type. Raises RequestError (415) for a form and for base64, and (422) for a
    photo from which curl has removed bytes.
    """
    found = file_type(body)
    if content_type == _FORM and _photo_lost_bytes(body):
        raise RequestError(
            422,
            "broken_photo",
            "The photo has lost its zero bytes and line ends, which curl removes with -d; send it with "
            "--data-binary @photo.jpg.",
        )
    if found.is_decoded:
        return False
    if found is JSON or content_type == batch.CONTENT_TYPE:
        return True
    if content_type.startswith("multipart/"):
        raise RequestError(415, "unsupported_type", f"The body is a form ({content_type[:40]}); {_SEND}.")
    if body.startswith(_BASE64):
        raise RequestError(
            415,
            "unsupported_type",
            f'The body is text in base64; {_SEND}. Base64 is for batches: {{"images": ["<base64>", ...]}}.',
        )
    return False


def _photo_lost_bytes(body: bytes) -> bool:
    begins_as_a_photo = body.startswith((JPEG_SIGNATURE, PNG_SIGNATURE[:4], b"RIFF"))
    return begins_as_a_photo and not any(lost in body for lost in _LOST_BY_CURL)
