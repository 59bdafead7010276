"""Parsing an event makes no copy of the photo beside the bytes that it returns.

Each copy of a photo of 1 MB, or pass over its base64 text, takes the function up to 1.3 ms of every call.
"""

import base64
import json
import tracemalloc
from typing import Any

import pytest

from lambda_fn.events import parse

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4096
ENCODED = base64.b64encode(PHOTO).decode()
LINES = base64.encodebytes(PHOTO).decode()
URL_SAFE = base64.urlsafe_b64encode(PHOTO).decode()


def over_http(body: str, content_type: str, *, encoded: bool) -> dict[str, Any]:
    return {
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"content-type": content_type},
        "isBase64Encoded": encoded,
        "body": body,
    }


def peak_bytes(event: dict[str, Any]) -> int:
    """The most memory that parsing the event holds at one time, the returned photo included."""
    tracemalloc.start()
    try:
        assert parse(event).image == PHOTO
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "event",
    [{"image": ENCODED}, over_http(ENCODED, "image/jpeg", encoded=True)],
    ids=["direct", "photo over HTTP"],
)
def test_a_photo_as_most_callers_send_it_is_decoded_without_a_copy(event: dict[str, Any]) -> None:
    assert peak_bytes(event) < 1.1 * len(PHOTO)


def test_a_photo_in_json_over_http_is_copied_only_to_parse_the_json() -> None:
    """Three texts: the body's bytes, the text that the parser decodes from them, and the field in it."""
    event = over_http(json.dumps({"image": ENCODED}), "application/json", encoded=False)
    assert peak_bytes(event) < 1.05 * 3 * len(ENCODED)


@pytest.mark.parametrize("text", [LINES, URL_SAFE, f"data:image/jpeg;base64,{ENCODED}"])
def test_a_photo_in_another_spelling_is_the_same_photo(text: str) -> None:
    assert parse({"image": text}).image == PHOTO
