"""Invoke the endpoint for a photo, and map its errors to faults."""

import json
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from lambda_fn import answer, calls, errors
from lambda_fn.bounded import TooManyBytesError
from lambda_fn.deadline import Deadline
from lambda_fn.errors import Fault, busy_for
from lambda_fn.photo import Photo
from lambda_fn.request_log import RequestLog
from lambda_fn.retries import is_throttle

OF_ERROR_CODE = {
    "ValidationError": errors.UNAVAILABLE,
    "ModelNotReadyException": errors.BUSY,
    "ServiceUnavailable": errors.BUSY,
    "InternalFailure": errors.ENDPOINT_FAILED,
    "InternalDependencyException": errors.ENDPOINT_FAILED,
}
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors"""

THROTTLED = replace(errors.BUSY, throttled=True)

OF_STATUS = {413: errors.TOO_LARGE, 429: errors.BUSY, 503: errors.BUSY}
"""For responses without one of SageMaker's error codes, such as a load balancer's."""


MAX_ANSWER_BYTES = 1_048_576
"""The answer for 1000 breeds has about 80 kB."""
LONGEST_WAIT_S = 3600
"""A longer wait is not one that the container advises."""


def invoke(
    photo: Photo, *, endpoint_name: str, top_k: int | None, deadline: Deadline, log: RequestLog
) -> dict[str, object]:
    """The endpoint's response: {"predictions": [{"breed", "probability"}, ...], "model": ...}. Raises ServiceError."""
    attributes: dict[str, Any] = {} if top_k is None else {"CustomAttributes": f"top_k={top_k}"}

    def call() -> bytes:
        return (
            calls.sagemaker_runtime()
            .invoke_endpoint(
                EndpointName=endpoint_name,
                Body=photo.data,
                ContentType=photo.content_type,
                Accept="application/json",
                **attributes,
            )["Body"]
            .read()
        )

    return answer.parsed(calls.within(deadline, log, call, fault_of, max_bytes=MAX_ANSWER_BYTES))


def fault_of(error: Exception) -> Fault:
    """The fault that the caller sees for an exception of botocore's."""
    if isinstance(error, calls.TIMEOUTS):
        return errors.TIMED_OUT
    if isinstance(error, TooManyBytesError):
        return errors.MODEL_FAILED
    if isinstance(error, calls.CONNECTION_FAULTS):
        return errors.UNREACHABLE
    if not isinstance(error, ClientError):
        return errors.INTERNAL
    response: dict[str, Any] = dict(error.response)
    code = str(response.get("Error", {}).get("Code", ""))
    if code == "ModelError":
        fault = errors.of_model_status(_model_status(response.get("OriginalStatusCode")))
        refusal = _refusal(response.get("OriginalMessage"))
        return busy_for(_advised_wait_s(refusal)) if fault is errors.BUSY else _about_the_photo(fault, refusal)
    if is_throttle(code):
        return THROTTLED
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    other = errors.ENDPOINT_FAILED if status >= 500 else errors.INTERNAL
    return OF_ERROR_CODE.get(code) or OF_STATUS.get(status) or other


def _model_status(status: object) -> int:
    """The container's status. SageMaker sends 0 or none if the container did not respond in time."""
    if status is None:
        return 0
    return status if isinstance(status, int) else 500


def _refusal(message: object) -> dict[str, object]:
    """The error in the container's body. SageMaker passes it on as the message, and none of its headers."""
    try:
        refusal = json.loads(str(message))["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return {}
    return refusal if isinstance(refusal, dict) else {}


def _advised_wait_s(refusal: dict[str, object]) -> int | None:
    wait = refusal.get("retry_after_s")
    return wait if isinstance(wait, int) and not isinstance(wait, bool) and 0 < wait <= LONGEST_WAIT_S else None


def _about_the_photo(fault: Fault, refusal: dict[str, object]) -> Fault:
    """The fault with the container's sentence about the photo: it names size and limit, which the function's cannot."""
    code, sentence = refusal.get("code"), refusal.get("message")
    if not isinstance(code, str) or code not in errors.OF_PHOTO or not isinstance(sentence, str):
        return fault
    is_sentence = 0 < len(sentence) <= errors.LONGEST_SENTENCE and sentence.isprintable()
    return replace(fault, message=sentence) if is_sentence else fault
