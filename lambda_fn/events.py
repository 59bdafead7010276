"""Parse every kind of event that this function accepts into one request.

Direct calls: {"image": "<base64>"}, {"s3": {"bucket": ..., "key": ...}} or {"url": "https://..."}, with an optional
"top_k". A field that is null counts as left out.
Over HTTP (API Gateway REST and HTTP APIs, function URLs, load balancers): the same JSON as the body, or the photo
itself as a base64 body, with `?top_k=` in the query.
"""

import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.photo.file_types import JSON, TEXT, file_type
from lambda_fn.errors import (
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    UNSUPPORTED_TYPE,
    ServiceError,
)
from lambda_fn.senders import sender
from lambda_fn.settings import S3Object

MAX_TOP_K = 1000
_URL_SAFE, _URL_SAFE_BYTES = str.maketrans("-_", "+/"), bytes.maketrans(b"-_", b"+/")
_BINARY = ("image/", "application/octet-stream", "binary/octet-stream")
"""Content types of what is no text. They only choose the sentence of a refusal: the bytes say what a body is."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"
"""What a gateway puts where it decodes a byte of a photo as text."""
_START = 64
"""Characters of a body, among which a photo that was decoded as text has one that was replaced."""
_MOST_NAMES, _LONGEST_NAME = 5, 40
"""Of a caller's own names that a sentence repeats."""
_EXPECTED = 'Send {"image": "<base64>"} or {"s3": {"bucket": "...", "key": "..."}}.'


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Exactly one of `image` (the bytes as sent), `s3` and `url` (the text as sent) is set."""

    image: bytes | None = None
    s3: S3Object | None = None
    url: str | None = None
    top_k: int | None = None

    @property
    def source(self) -> str:
        """Where the photo comes from."""
        return "s3" if self.s3 is not None else "url" if self.url is not None else "event"


def parse(event: object) -> Request:
    """The request in an event. Raises ServiceError, with an example of what to send, for anything else."""
    try:
        request = _parse(event)
        if request.image == b"":
            raise ServiceError(BAD_REQUEST, "The photo is empty: it has 0 bytes.")
        return request
    except ServiceError as error:
        if error.fault is not BAD_REQUEST or '{"image"' in error.message:
            raise
        raise ServiceError(BAD_REQUEST, f"{error.message} {_EXPECTED}") from None


def _parse(event: object) -> Request:
    if not isinstance(event, dict):
        raise ServiceError(BAD_REQUEST, f"The event is {_kind(event)}, not an object.")
    method = _method(event)
    if method is None and (found := sender(event)):
        raise ServiceError(BAD_REQUEST, f"The event is {found}, in which this function looks for no photo.")
    if method is None and "body" not in event:
        return _of_fields(event)
    if method not in (None, "POST", "PUT"):
        raise ServiceError(METHOD_NOT_ALLOWED)
    return _of_http(event)


def is_for_page(event: object) -> bool:
    """Whether the event is GET / of an HTTP API."""
    return isinstance(event, dict) and _method(event) == "GET" and event.get("rawPath") == "/"


def _method(event: Mapping[str, Any]) -> object:
    """The HTTP method. HTTP APIs and function URLs put it into the request context, others into the event itself."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    return http.get("method") if isinstance(http, dict) else event.get("httpMethod")


def _of_http(event: Mapping[str, Any]) -> Request:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise ServiceError(BAD_REQUEST, f"The body is {_kind(body)}, not text.")
    encoded = event.get("isBase64Encoded") or False
    if not isinstance(encoded, bool):
        raise ServiceError(BAD_REQUEST, f'"isBase64Encoded" is {_kind(encoded)}; it must be true or false.')
    data = _base64(body, "The body, whose isBase64Encoded is true,") if encoded else body.encode(errors="replace")
    query = _values(event, "queryStringParameters", "multiValueQueryStringParameters")
    _check_spelling(query)
    top_k = _top_k(query.get("top_k"))
    found, content_type = file_type(data), _content_type(event)
    if found.is_decoded and encoded:  # whatever its content type says
        return Request(image=data, top_k=top_k)
    if content_type.startswith("multipart/"):
        raise ServiceError(UNSUPPORTED_TYPE, "Send the photo as the body itself, not as a multipart form.")
    if not data.strip():
        raise ServiceError(BAD_REQUEST, "The body is empty.")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        if _is_photo_as_base64(data):
            raise ServiceError(
                BAD_REQUEST,
                "The body is a photo as base64 text. Send the bytes of the photo, with isBase64Encoded true in an "
                "event that you write yourself, or "
                '{"image": "<base64>"} as JSON.',
            ) from None
        if not encoded and (_REPLACED in body[:_START] or content_type.startswith(_BINARY)):
            raise ServiceError(
                BAD_REQUEST,
                "The gateway sent the photo as text, which damages it. Declare image/* as a binary media type of "
                'the API, or send {"image": "<base64>"} as JSON.',
            ) from None
        if encoded and (found not in (TEXT, JSON) or content_type.startswith(_BINARY)):
            return Request(image=data, top_k=top_k)  # refused with what it is
        raise ServiceError(BAD_REQUEST, "The body is neither a JPEG, PNG or WebP photo nor JSON.") from None
    if not isinstance(fields, dict):
        raise ServiceError(BAD_REQUEST, f"The body is {_kind(fields)}, not an object.")
    return _of_fields({**fields, "top_k": top_k} if fields.get("top_k") is None else fields)


def _is_photo_as_base64(data: bytes) -> bool:
    try:
        return file_type(binascii.a2b_base64(data.lstrip()[:_START].translate(_URL_SAFE_BYTES))).is_decoded
    except ValueError:
        return False


def _values(event: Mapping[str, Any], single: str, multiple: str) -> dict[str, Any]:
    """Name to value. Load balancers can send lists of values instead; of a list the last value is taken, as they do."""
    values, lists = event.get(single), event.get(multiple)
    if isinstance(values, dict):
        return values
    if not isinstance(lists, dict):
        return {}
    return {name: each[-1] for name, each in lists.items() if isinstance(each, list) and each}


def _content_type(event: Mapping[str, Any]) -> str:
    headers = _values(event, "headers", "multiValueHeaders").items()
    return next((str(value).strip().lower() for name, value in headers if str(name).lower() == "content-type"), "")


def _of_fields(fields: Mapping[str, Any]) -> Request:
    _check_spelling(fields)
    sources = [name for name in ("image", "s3", "url") if fields.get(name) is not None]
    if len(sources) != 1:
        found = f"The request has {' and '.join(sources)}" if sources else "The request has no photo"
        others = [_quoted(name) for name in fields if not sources and name not in ("image", "s3", "url", "top_k")]
        has = f", but {', '.join(others[:_MOST_NAMES])}" if others else ""
        raise ServiceError(BAD_REQUEST, f"{found}{has}.")
    top_k = _top_k(fields.get("top_k"))
    if sources == ["s3"]:
        return Request(s3=_s3(fields["s3"]), top_k=top_k)
    if sources == ["url"]:
        return Request(url=_url(fields["url"]), top_k=top_k)
    image = fields["image"]
    if isinstance(image, str) and image[:8].lower().startswith(("http://", "https://")):
        raise ServiceError(BAD_REQUEST, '"image" is a URL, which belongs into "url".')
    if not isinstance(image, str):
        raise ServiceError(BAD_REQUEST, f'"image" is {_kind(image)}; it must be the photo as base64 text.')
    return Request(image=_base64(image, '"image"'), top_k=top_k)


def _base64(text: str, what: str) -> bytes:
    """Strict, but for what common tools write: line breaks, `data:` URLs, and the alphabet that is safe in URLs."""
    if text[:5].lower() == "data:":
        header, _, text = text.partition(",")
        if not header.lower().endswith(";base64"):
            raise ServiceError(BAD_REQUEST, f"{what} is a data: URL without ;base64, so it cannot contain a photo.")
    try:
        return _decoded(text)
    except ValueError:
        raise ServiceError(
            BAD_REQUEST, f"{what} is not valid base64: it was cut off or encoded in another way. Send all of it."
        ) from None


def _decoded(text: str) -> bytes:
    """As most callers send it, in one pass. Two more passes over a photo of 1 MB, to clean it, would take 2 ms."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return binascii.a2b_base64("".join(text.split()).translate(_URL_SAFE), strict_mode=True)


def _s3(value: object) -> S3Object:
    bucket, key = (value.get("bucket"), value.get("key")) if isinstance(value, dict) else (None, None)
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise ServiceError(BAD_REQUEST, '"s3" needs both names: {"bucket": "...", "key": "..."}.')
    if len(bucket) > 63 or len(key.encode(errors="surrogatepass")) > 1024 or not _is_unicode(bucket + key):
        raise ServiceError(BAD_REQUEST, 'In "s3", the bucket or the key is longer than S3 allows, or not valid text.')
    return S3Object(bucket, key)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ServiceError(BAD_REQUEST, f'"url" is {_kind(value)}; it must be text that starts with https://.')
    return value


def _top_k(value: object) -> int | None:
    if value is None:
        return None
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value) else value
    if isinstance(number, float) and number.is_integer():  # to JSON, 3.0 and 3 are one number
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_TOP_K:
        raise ServiceError(BAD_REQUEST, f'"top_k" must be a whole number from 1 to {MAX_TOP_K}.')
    return number


def _check_spelling(fields: Mapping[str, Any]) -> None:
    """Refuse what looks like the option and would have no effect, as the endpoint does."""
    for name in fields:
        if name != "top_k" and re.sub("[^a-z]", "", name.lower()) == "topk":
            raise ServiceError(BAD_REQUEST, f'{_quoted(name)} has no effect: the name of the option is "top_k".')


def _quoted(name: str) -> str:
    return json.dumps(name[:_LONGEST_NAME])


def _is_unicode(text: str) -> bool:
    """Whether S3 can have a key of this text. JSON can contain half of a surrogate pair, S3 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else "something else")
