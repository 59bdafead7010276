"""Parse every kind of event that this function accepts into one request.

Direct calls: {"image": "<base64>"} or {"s3": {"bucket": ..., "key": ...}}, with an optional "top_k".
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
    URL_NOT_FETCHED,
    ServiceError,
)
from lambda_fn.settings import S3Object

MAX_TOP_K = 1000
_URL_SAFE = str.maketrans("-_", "+/")
_BINARY = ("image/", "application/octet-stream", "binary/octet-stream")
"""Content types of what is no text. They only choose the sentence of a refusal: the bytes say what a body is."""
_REPLACED = "\N{REPLACEMENT CHARACTER}"
"""What a gateway puts where it decodes a byte of a photo as text."""
_START = 64
"""Characters of a body, among which a photo that was decoded as text has one that was replaced."""
_EXPECTED = 'Send {"image": "<base64>"} or {"s3": {"bucket": "...", "key": "..."}}.'


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Exactly one of `image` (the bytes as sent) and `s3` is set."""

    image: bytes | None = None
    s3: S3Object | None = None
    top_k: int | None = None


def parse(event: object) -> Request:
    """The request in an event. Raises ServiceError, with what to send instead, for anything else."""
    if not isinstance(event, dict):
        raise ServiceError(BAD_REQUEST, f"The event is {_kind(event)}, not an object. {_EXPECTED}")
    method = _method(event)
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
        raise ServiceError(BAD_REQUEST, f"The body is {_kind(body)}, not text. {_EXPECTED}")
    encoded = event.get("isBase64Encoded") is True
    data = _base64(body, "The body") if encoded else body.encode(errors="replace")
    query = event.get("queryStringParameters") or {}
    top_k = _top_k(query.get("top_k") if isinstance(query, dict) else None)
    found, content_type = file_type(data), _content_type(event)
    if found.is_decoded and encoded:  # whatever its content type says
        return Request(image=data, top_k=top_k)
    if content_type.startswith("multipart/"):
        raise ServiceError(UNSUPPORTED_TYPE, "Send the photo as the body itself, not as a multipart form.")
    if not data.strip():
        raise ServiceError(BAD_REQUEST, f"The body is empty. {_EXPECTED}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        if not encoded and (_REPLACED in body[:_START] or content_type.startswith(_BINARY)):
            raise ServiceError(
                BAD_REQUEST,
                "The gateway sent the photo as text, which damages it. Declare image/* as a binary media type of "
                'the API, or send {"image": "<base64>"} as JSON.',
            ) from None
        if encoded and (found not in (TEXT, JSON) or content_type.startswith(_BINARY)):
            return Request(image=data, top_k=top_k)  # refused with what it is
        raise ServiceError(
            BAD_REQUEST, f"The body is neither a JPEG, PNG or WebP photo nor JSON. {_EXPECTED}"
        ) from None
    if not isinstance(fields, dict):
        raise ServiceError(BAD_REQUEST, f"The body is {_kind(fields)}, not an object. {_EXPECTED}")
    return _of_fields({"top_k": top_k, **fields})


def _content_type(event: Mapping[str, Any]) -> str:
    headers = event.get("headers")
    given = headers.items() if isinstance(headers, dict) else ()
    return next((str(value).strip().lower() for name, value in given if str(name).lower() == "content-type"), "")


def _of_fields(fields: Mapping[str, Any]) -> Request:
    sources = [name for name in ("image", "s3", "url") if fields.get(name) is not None]
    if len(sources) != 1:
        found = f"The request has {' and '.join(sources)}" if sources else "The request has no photo"
        raise ServiceError(BAD_REQUEST, f"{found}. {_EXPECTED}")
    top_k = _top_k(fields.get("top_k"))
    if sources == ["s3"]:
        return Request(s3=_s3(fields["s3"]), top_k=top_k)
    image = fields[sources[0]]
    if sources == ["url"] or (isinstance(image, str) and image[:8].lower().startswith(("http://", "https://"))):
        raise ServiceError(URL_NOT_FETCHED)
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


def _top_k(value: object) -> int | None:
    if value is None:
        return None
    number = int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_TOP_K:
        raise ServiceError(BAD_REQUEST, f'"top_k" must be a whole number from 1 to {MAX_TOP_K}.')
    return number


def _is_unicode(text: str) -> bool:
    """Whether S3 can have a key of this text. JSON can contain half of a surrogate pair, S3 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else "something else")
