"""Several photos in one request, as JSON: {"images": ["<base64>", ...]}.

A JSON parser would first make Python objects of all of a body, up to 25 times its size, and could be asked only then
whether it is a batch. So the body is scanned for exactly this form, up to the first byte that does not belong to it,
and the photos are slices of the body until each is predicted (docs/decisions/0097).
"""

import binascii
import json
import re
from dataclasses import dataclass

from inference.server.errors import RequestError

CONTENT_TYPE = "application/json"

MAX_PHOTOS = 32
"""In one request. The slowest instance type answers them well within SageMaker's 60 s."""

_FORM = 'A batch is {"images": ["<base64 of a photo>", ...]}'
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# The quantifiers are possessive (`*+`): a match keeps no place to come back to, so it needs no memory.
_TEXT = rb'[^"\\\x00-\x1f]*+'
_STRING = re.compile(rb'"(%b((?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})%b)*+))"' % (_TEXT, _TEXT))
"""A string of JSON. Its groups are what is between the quotes, and of that the part from its first escape on."""

_SPACE = re.compile(rb"[ \t\n\r]*+")
_NOT_ASCII = re.compile(rb"[^\x00-\x7f]")
_BEGINS_JSON = b'{}[]",:-0123456789tfn'

_ESCAPE_OUTSIDE_BASE64 = re.compile(rb"\\(?!/|u00[2-7])")
_PART = re.compile(rb"(?:[^\\]|\\/|\\u.{4}){1,8192}+", re.DOTALL)
"""Some characters of a string, with every escape in one piece."""


@dataclass(frozen=True, slots=True)
class EncodedPhoto:
    """A photo of a batch that has not been decoded from base64."""

    text: memoryview
    """The string in the body, without its quotes."""
    escaped: bool
    """Whether the string has escapes of JSON, such as `\\/`: some encoders write them."""

    @property
    def decoding_bytes(self) -> int:
        """The memory that `decode` needs at most, its result included."""
        unescaped = len(self.text) * 9 // 8 if self.escaped else 0  # a growing bytearray reserves an eighth more
        return unescaped + len(self.text) * 3 // 4

    def decode(self) -> bytes:
        """The photo's bytes. Raises RequestError (400) for a string that is not base64."""
        try:
            return binascii.a2b_base64(self._unescaped() if self.escaped else self.text, strict_mode=True)
        except binascii.Error:
            raise RequestError(
                400, "bad_base64", "The string is not base64; encode the photo's bytes, without line breaks."
            ) from None

    def _unescaped(self) -> bytearray:
        if _ESCAPE_OUTSIDE_BASE64.search(self.text):
            raise binascii.Error
        plain = bytearray()
        for part in _PART.finditer(self.text):  # in parts: of the whole text, the parser would make two more copies
            plain += json.loads(b'"%b"' % part[0]).encode()
        return plain


def photos(body: bytes) -> list[EncodedPhoto]:
    """The photos of a batch, in its order, as slices of `body`.

    Raises RequestError: 400 for another JSON, for no photos, and for any key besides "images"; 413 for more than
    MAX_PHOTOS.
    """
    scan = _Scan(body)
    scan.take(b"{")
    _check_key(scan.string("the key"))
    scan.take(b":")
    scan.take(b"[")
    found: list[EncodedPhoto] = []
    while not found or scan.take(b",", b"]") == b",":
        if len(found) == MAX_PHOTOS:
            raise RequestError(
                413, "too_many_photos", f"The batch has more than {MAX_PHOTOS} photos; send them in several batches."
            )
        found.append(scan.string("a photo"))
    if scan.take(b",", b"}") == b",":
        _check_key(scan.string("a key"))
        raise RequestError(400, "bad_batch", f'The batch has the key "images" twice. {_FORM}.')
    scan.end()
    return found


class _Scan:
    """Reads the body token by token. Every method raises RequestError (400) for another token than the one wanted."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._view = memoryview(body)
        self._at = len(_BYTE_ORDER_MARK) if body.startswith(_BYTE_ORDER_MARK) else 0
        if foreign := _NOT_ASCII.search(body, self._at):
            raise RequestError(
                400, "bad_json", f"Byte {foreign.start()} of the body is not ASCII, as JSON of base64 is. {_FORM}."
            )

    def take(self, *wanted: bytes) -> bytes:
        """Read one of these characters."""
        found = self._next()
        if found not in wanted:
            raise self._refusal(" or ".join(map(bytes.decode, wanted)))
        self._at += 1
        return found

    def string(self, what: str) -> EncodedPhoto:
        """Read a string of JSON, as a slice."""
        if self._next() != b'"':
            raise self._refusal(f"{what} in quotes")
        match = _STRING.match(self._body, self._at)
        if match is None:
            raise RequestError(
                400,
                "bad_json",
                f"The body is not JSON: the string at byte {self._at} has no end, or a byte that JSON does not "
                f"allow. {_FORM}.",
            )
        self._at = match.end()
        return EncodedPhoto(self._view[match.start(1) : match.end(1)], escaped=match.start(2) < match.end(2))

    def end(self) -> None:
        """Read the end of the body."""
        if self._next():
            raise self._refusal("the end")

    def _next(self) -> bytes:
        space = _SPACE.match(self._body, self._at)
        assert space  # noqa: S101 - for mypy: the pattern matches nothing, too
        self._at = space.end()
        return self._body[self._at : self._at + 1]

    def _refusal(self, wanted: str) -> RequestError:
        found = self._body[self._at : self._at + 1]
        if not found:
            return RequestError(400, "bad_json", f"The body is not JSON: it ends where {wanted} should be. {_FORM}.")
        place = f"byte {self._at} is {found.decode()!r}, where {wanted} should be"
        if found in _BEGINS_JSON:
            return RequestError(400, "bad_batch", f"The body is not a batch: {place}. {_FORM}.")
        return RequestError(400, "bad_json", f"The body is not JSON: {place}. {_FORM}.")


def _check_key(key: EncodedPhoto) -> None:
    name = bytes(key.text[:40]).decode()
    if name == "images":
        return
    remedy = "send the header X-Amzn-SageMaker-Custom-Attributes: top_k=N" if name == "top_k" else "leave it out"
    raise RequestError(400, "bad_batch", f'The key "{name}" is unknown; {remedy}. {_FORM}.')
