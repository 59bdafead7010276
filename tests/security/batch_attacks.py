"""Hostile batches: JSON that a parser would turn into many times its own size in memory."""

import base64

from tests.security.forge import FULL, attack, filled, photo

JSON = "application/json"


def batch(images: bytes) -> bytes:
    """A batch whose list has this content."""
    return b'{"images":[' + images + b"]}"


def of(item: bytes, total: int = FULL) -> bytes:
    """A batch with this item again and again, until the request is full."""
    return batch(filled(item + b",", total)[:-1])


@attack("batch-of-empty-objects", 400, content_type=JSON)
def _objects() -> bytes:
    """3 bytes for each object, which takes 64 in Python."""
    return of(b"{}")


@attack("batch-of-objects", 400, content_type=JSON)
def _members() -> bytes:
    """8 bytes for each object of one member, which takes 184 in Python."""
    return of(b'{"a":1}')


@attack("batch-of-empty-lists", 400, content_type=JSON)
def _lists() -> bytes:
    """3 bytes for each list, which takes 56 in Python."""
    return of(b"[]")


@attack("batch-of-numbers", 400, content_type=JSON)
def _numbers() -> bytes:
    """4 bytes for each number, which takes 24 in Python and 8 in the list."""
    return of(b"1.5")


@attack("batch-of-one-long-number", 400, content_type=JSON)
def _number() -> bytes:
    """A whole number of six million digits."""
    return batch(filled(b"9"))


@attack("batch-of-empty-strings", 413, content_type=JSON)
def _strings() -> bytes:
    """Two million photos of no bytes."""
    return of(b'""')


@attack("batch-of-tiny-photos", 413, content_type=JSON)
def _tiny() -> bytes:
    """Eight hundred thousand photos of three bytes."""
    return of(b'"/9j/"')


@attack("batch-nested-deeply", 400, content_type=JSON)
def _nested() -> bytes:
    """Six million lists, each in the one before it."""
    return filled(b"[")


@attack("batch-nested-in-objects", 400, content_type=JSON)
def _nested_objects() -> bytes:
    """A million objects, each in the one before it."""
    return filled(b'{"a":')


@attack("batch-of-the-same-key", 400, content_type=JSON)
def _same_key() -> bytes:
    """The list of photos again and again, of which a parser keeps the last."""
    return b"{" + filled(b'"images":["/9j/"],')[:-1] + b"}"


@attack("batch-behind-another-key", 400, content_type=JSON)
def _other_key() -> bytes:
    """A photo, after a key with two million objects that are not read."""
    return b'{"ignored":[' + filled(b"{},", FULL - 100)[:-1] + b'],"images":["/9j/"]}'


@attack("batch-of-wide-characters", 400, content_type=JSON)
def _wide() -> bytes:
    """Six million letters and one character that makes Python keep four bytes for each of them."""
    return batch(b'"' + filled(b"A") + "🐕".encode() + b'"')


@attack("batch-of-escaped-wide-characters", 200, content_type=JSON)
def _escaped_wide() -> bytes:
    """The same, with the character as an escape."""
    return batch(b'"' + filled(b"A") + rb"\ud83d\udc15" + b'"')


@attack("batch-of-escaped-slashes", 200, content_type=JSON)
def _slashes() -> bytes:
    """Three million escapes. Some encoders escape base64's slash."""
    return batch(b'"' + filled(rb"\/") + b'"')


@attack("batch-of-escaped-letters", 200, content_type=JSON)
def _letters() -> bytes:
    """A million escapes of a letter that needs none."""
    return batch(b'"' + filled(rb"\u0041") + b'"')


@attack("batch-without-an-end", 400, content_type=JSON)
def _open() -> bytes:
    """A string of three million escapes that does not end."""
    return b'{"images":["' + filled(rb"\/")


@attack("batch-of-spaces", 400, content_type=JSON)
def _spaces() -> bytes:
    """Six million spaces where the list should be."""
    return b'{"images":' + filled(b" \n") + b"}"


@attack("batch-in-utf-32", 400, content_type=JSON)
def _utf_32() -> bytes:
    """Objects in an encoding that JSON does not have, but that Python's parser detects."""
    return of(b"{}", FULL // 4).decode().encode("utf-32-le")


@attack("batch-of-one-large-photo", 200, content_type=JSON)
def _large() -> bytes:
    """A good photo with 4.5 MB behind its end: its text and its bytes are in memory together."""
    return batch(b'"' + base64.b64encode(photo("JPEG") + bytes(FULL * 3 // 4 - 10_000)) + b'"')


@attack("batch-of-the-most-photos", 200, content_type=JSON)
def _most() -> bytes:
    """As many photos as a batch may have, which fill the request."""
    each = base64.b64encode(photo("JPEG") + bytes(FULL // 32 * 3 // 4 - 2_000))
    return batch(b",".join([b'"' + each + b'"'] * 32))
