"""What the server reads from the head of a request. It refuses what looks like an option and has no effect."""

import difflib

from starlette.datastructures import Headers

from inference.classifier import DEFAULT_TOP_K
from inference.server.errors import RequestError

ACCEPTS = frozenset({"*/*", "application/*", "application/json"})

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MAX_ATTRIBUTES = 1024
"""Characters. SageMaker's own limit.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

_MISSPELLED = 0.75
"""The similarity to `top_k`, as difflib measures it, from which a name is a misspelling: `topk`, `top-k`, `top_n`.
Callers may send other attributes, such as an id for tracing."""


def content_type(headers: Headers) -> str:
    """The body's content type without its parameters, in lower case; empty if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_accept(headers: Headers) -> None:
    """Raise RequestError (406) if the caller accepts no JSON."""
    accept = ",".join(headers.getlist("accept"))
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if accept.strip() and not accepted & ACCEPTS:
        raise RequestError(
            406, "not_acceptable", "Responses are application/json; name that type in the Accept header."
        )


def check_query(query: bytes) -> None:
    """Raise RequestError (400) for a query. On AWS it would have no effect: SageMaker passes none to a container."""
    if query:
        raise RequestError(
            400,
            "unknown_query",
            f"The query {query[:40].decode('latin-1')!r} has no effect; leave it out, and send the number of breeds as "
            f"the header {ATTRIBUTES}: top_k=N.",
        )


def top_k(headers: Headers) -> int:
    """The number of breeds that the caller asks for.

    Raises RequestError (400) for anything but 1 to 1000, for a misspelled name, and for two numbers.
    """
    attributes = ",".join(headers.getlist(ATTRIBUTES))
    if len(attributes) > MAX_ATTRIBUTES:
        raise RequestError(
            400,
            "bad_attributes",
            f"{ATTRIBUTES} has {len(attributes):,} characters; send at most {MAX_ATTRIBUTES:,}, as SageMaker allows.",
        )
    values = []
    for attribute in attributes.split(","):
        name, _, value = (part.strip() for part in attribute.partition("="))
        if name == "top_k":
            values.append(value)
        elif difflib.get_close_matches(name.lower(), ["top_k"], cutoff=_MISSPELLED):
            raise RequestError(
                400,
                "unknown_attribute",
                f"The attribute {name[:20]!r} is unknown; send the number of breeds as top_k=N.",
            )
    if len(values) > 1:
        raise RequestError(400, "bad_top_k", f"top_k is sent {len(values)} times; send it once.")
    return _number_of_breeds(values[0]) if values else DEFAULT_TOP_K


def _number_of_breeds(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4 and 1 <= int(digits) <= 1000):
        raise RequestError(400, "bad_top_k", f"top_k is {digits[:20]!r}; give a whole number from 1 to 1000.")
    return int(digits)
