"""Every fault in one table: its status, its code for programs, its sentence for people, and whether to retry.

A sentence contains nothing that the caller did not send and may not know: no path, no ARN, nothing from a log.
"""

import json
from dataclasses import dataclass, replace
from typing import TypedDict


class Response(TypedDict):
    """The response to API Gateway, a function URL and a direct caller."""

    statusCode: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    status: int
    code: str
    message: str
    retryable: bool = False
    """Whether the same call may succeed in a moment. This function then retries it, as retries.py says."""
    throttled: bool = False
    """Whether AWS refused the call because of its rate, before the endpoint or the object was reached."""
    advised_wait_s: int | None = None
    """Seconds that the endpoint itself asks its callers to wait. This function does not retry sooner."""
    retry_after_s: int | None = None
    """Sent to the caller as Retry-After, and in the body as the endpoint's own refusal has it."""


# Mistakes of the caller. Most are raised with a more precise sentence.
BAD_REQUEST = Fault(status=400, code="bad_request", message="The request could not be understood.")
URL_NOT_FETCHED = Fault(
    status=400,
    code="url_not_fetched",
    message="This function fetches no URLs, because its setting api.allowed_url_hosts is empty: list the photo's host "
    'there and deploy, or send the photo itself as base64 in "image".',
)
URL_INVALID = Fault(status=400, code="url_invalid", message="The URL is not one that this function accepts.")
URL_FORBIDDEN = Fault(
    status=403,
    code="url_forbidden",
    message="This function may not fetch from that host. The setting api.allowed_url_hosts lists the hosts: add it "
    'and deploy, or send the photo itself as base64 in "image".',
)
URL_DENIED = Fault(status=403, code="url_denied", message="The URL's host did not let this function read the photo.")
URL_NOT_FOUND = Fault(status=404, code="url_not_found", message="The URL's host has no such photo.")
# The caller chose the host, so its faults are not this service's (docs/decisions/0109).
URL_FAILED = Fault(
    status=422,
    code="url_failed",
    message="The URL's host could not be reached, or its response was not HTTP or was cut off.",
)
URL_TIMED_OUT = Fault(
    status=422, code="url_timed_out", message="The URL's host did not send the photo in time; send the photo itself."
)
S3_FORBIDDEN = Fault(status=403, code="s3_forbidden", message="This function may not read that S3 object.")
S3_DENIED = Fault(
    status=403,
    code="s3_denied",
    message="S3 did not let this function read the object: it does not exist, or its bucket or key policy forbids it.",
)
S3_NOT_FOUND = Fault(status=404, code="s3_not_found", message="There is no such S3 object.")
METHOD_NOT_ALLOWED = Fault(status=405, code="method_not_allowed", message="Send the photo with POST.")
TOO_LARGE = Fault(
    status=413,
    code="too_large",
    message="The photo is larger than the model accepts. Scale it down: the model uses a few hundred pixels a side.",
)
UNSUPPORTED_TYPE = Fault(status=415, code="unsupported_type", message="Send a JPEG, PNG or WebP photo.")
UNREADABLE = Fault(
    status=422,
    code="unreadable",
    message="The photo could not be decoded: it is damaged, cut off, or far too long and narrow.",
)
REFUSED = Fault(status=400, code="refused", message="The model refused the request.")

# Faults of this function, of the endpoint and of S3. Their sentences are fixed.
INTERNAL = Fault(
    status=500, code="internal", message="The service failed, which is not the caller's mistake; its log has the cause."
)
MODEL_FAILED = Fault(status=502, code="model_failed", message="The model failed on this photo.")
ENDPOINT_FAILED = Fault(
    status=502, code="endpoint_failed", message="The model's endpoint failed; try again.", retryable=True
)
BUSY = Fault(status=503, code="busy", message="The model is busy; try again shortly.", retryable=True, retry_after_s=2)
UNREACHABLE = Fault(
    status=503,
    code="unreachable",
    message="The model's endpoint could not be reached; try again shortly.",
    retryable=True,
    retry_after_s=5,
)
UNAVAILABLE = Fault(
    status=503,
    code="unavailable",
    message="The model's endpoint is not in service now: it is being created, updated or deleted. Try again later.",
    retry_after_s=30,
)
S3_UNAVAILABLE = Fault(
    status=503,
    code="s3_unavailable",
    message="S3 could not be read; try again shortly.",
    retryable=True,
    retry_after_s=2,
)
S3_TIMED_OUT = Fault(status=504, code="s3_timed_out", message="S3 did not return the photo in time; try again.")
TIMED_OUT = Fault(status=504, code="timed_out", message="The model did not answer in time; try again.")

OF_MODEL_STATUS = {400: BAD_REQUEST, 413: TOO_LARGE, 415: UNSUPPORTED_TYPE, 422: UNREADABLE, 429: BUSY}
"""The fault for a refusal by the container. The caller sees this table's sentence, or the container's on the photo."""

OF_PHOTO = frozenset(
    {"broken_photo", "not_a_photo", "too_many_parts", "too_many_pixels", "too_many_scans", "too_narrow"}
)
"""Codes of the container whose sentences are about the photo alone: its size, the limit, what to do. Only these
sentences are passed on; others could tell of the container. The kinds of inference/photo/errors.py, tested there."""
LONGEST_SENTENCE = 400


def busy_for(wait_s: int | None) -> Fault:
    """The container's queue is full, and it asks for this wait. None: it does not say how long."""
    wait = wait_s or BUSY.retry_after_s
    return replace(BUSY, advised_wait_s=wait, retry_after_s=wait)


def of_model_status(status: int) -> Fault:
    """The fault for the container's status. SageMaker reports 0 if the container did not respond in time."""
    if status == 0:
        return TIMED_OUT
    if 400 <= status < 500:
        return OF_MODEL_STATUS.get(status, REFUSED)
    return MODEL_FAILED


class ServiceError(Exception):
    """A request that ends with a fault. `message` replaces the fault's sentence."""

    def __init__(self, fault: Fault, message: str | None = None) -> None:
        super().__init__(message or fault.message)
        self.fault = fault
        self.message = message or fault.message

    def response(self, request_id: str) -> Response:
        headers = {"Content-Type": "application/json"}
        error: dict[str, object] = {"code": self.fault.code, "message": self.message, "request_id": request_id}
        if self.fault.retry_after_s is not None:
            headers["Retry-After"] = str(self.fault.retry_after_s)
            error["retry_after_s"] = self.fault.retry_after_s  # a direct caller may keep the body alone
        if self.fault is METHOD_NOT_ALLOWED:
            headers["Allow"] = "POST"
        return {"statusCode": self.fault.status, "headers": headers, "body": json.dumps({"error": error})}


def ok(answer: dict[str, object], request_id: str) -> Response:
    """The endpoint's answer as a proxy response."""
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({**answer, "request_id": request_id}),
    }
