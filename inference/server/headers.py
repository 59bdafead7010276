"""What the server reads from a request's headers: the body's content type and the number of breeds."""

from starlette.datastructures import Headers

from inference.classifier import DEFAULT_TOP_K
from inference.server import batch
from inference.server.errors import RequestError

CONTENT_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "application/x-image", batch.CONTENT_TYPE})
ACCEPTS = frozenset({"*/*", "application/*", "application/json"})


def content_type(headers: Headers) -> str:
    """The body's content type. Raises RequestError for an unknown one (415), or if the caller accepts no JSON (406)."""
    sent = headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in CONTENT_TYPES:
        raise RequestError(
            415,
            "unsupported_type",
            f"The content type is {sent[:60]!r}; send image/jpeg, image/png or image/webp, or a "
            "batch as application/json.",
        )
    accept = ",".join(headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if accept.strip() and not accepted & ACCEPTS:
        raise RequestError(
            406, "not_acceptable", "Responses are application/json; name that type in the Accept header."
        )
    return sent


def top_k(headers: Headers) -> int:
    """The number of breeds that the caller asks for. Raises RequestError (400) for anything but 1 to 1000."""
    attributes = headers.get("x-amzn-sagemaker-custom-attributes", "")
    for attribute in attributes.split(","):
        name, _, value = attribute.partition("=")
        if name.strip() == "top_k":
            digits = value.strip()
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 4 and 1 <= int(digits) <= 1000):
                raise RequestError(400, "bad_top_k", f"top_k is {digits[:20]!r}; give a whole number from 1 to 1000.")
            return int(digits)
    return DEFAULT_TOP_K
