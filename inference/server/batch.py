"""Several photos in one request, as JSON: {"images": ["<base64>", ...]}."""

import base64
import binascii
import json

from inference.server.errors import RequestError

CONTENT_TYPE = "application/json"

MAX_PHOTOS = 32
"""In one request. The slowest instance type answers them well within SageMaker's 60 s."""

_SHAPE = 'A batch is {"images": ["<base64 of a photo>", ...]}'


def photos(body: bytes) -> list[bytes]:
    """The photos of a batch, in its order. One that is not base64 is empty, and refused like any photo without bytes.

    Raises RequestError: 400 for any other JSON and for an empty list, 413 for more than MAX_PHOTOS.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "bad_json", f"The body is not JSON. {_SHAPE}.") from None
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list) or not images or not all(isinstance(image, str) for image in images):
        raise RequestError(400, "bad_batch", f"The body has no list of images. {_SHAPE}.")
    if len(images) > MAX_PHOTOS:
        raise RequestError(413, "too_many_photos", f"The batch has {len(images)} photos; send at most {MAX_PHOTOS}.")
    return [_bytes(image) for image in images]


def _bytes(image: str) -> bytes:
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        return b""
