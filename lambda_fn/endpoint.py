"""Invoke the endpoint for a photo, and map its errors to faults."""

import json
from typing import Any, Never

from botocore.exceptions import ClientError

from lambda_fn import calls, errors
from lambda_fn.deadline import Deadline
from lambda_fn.errors import Fault, ServiceError
from lambda_fn.photo import Photo
from lambda_fn.request_log import RequestLog

OF_ERROR_CODE = {
    "ValidationError": errors.UNAVAILABLE,
    "ModelNotReadyException": errors.BUSY,
    "ServiceUnavailable": errors.BUSY,
    "InternalFailure": errors.ENDPOINT_FAILED,
    "InternalDependencyException": errors.ENDPOINT_FAILED,
}
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors"""

OF_STATUS = {413: errors.TOO_LARGE, 429: errors.BUSY, 503: errors.BUSY}
"""For responses without one of SageMaker's error codes, such as a load balancer's."""


def invoke(
    photo: Photo, *, endpoint_name: str, top_k: int | None, deadline: Deadline, log: RequestLog
) -> dict[str, object]:
    """The endpoint's response: {"predictions": [{"breed", "probability"}, ...], "model": ...}. Raises ServiceError."""
    attributes: dict[str, Any] = {} if top_k is None else {"CustomAttributes": f"top_k={top_k}"}

    def call(read_timeout_s: float) -> bytes:
        return (
            calls.sagemaker_runtime(read_timeout_s)
            .invoke_endpoint(
                EndpointName=endpoint_name,
                Body=photo.data,
                ContentType=photo.content_type,
                Accept="application/json",
                **attributes,
            )["Body"]
            .read()
        )

    return _parsed(calls.within(deadline, log, call, fault_of))


def fault_of(error: Exception) -> Fault:
    """The fault that the caller sees for an exception of botocore's."""
    if isinstance(error, calls.TIMEOUTS):
        return errors.TIMED_OUT
    if isinstance(error, calls.CONNECTION_FAULTS):
        return errors.UNREACHABLE
    if not isinstance(error, ClientError):
        return errors.INTERNAL
    response: dict[str, Any] = dict(error.response)
    code = str(response.get("Error", {}).get("Code", ""))
    if code == "ModelError":
        return errors.of_model_status(int(response.get("OriginalStatusCode") or 0))
    if "Throttl" in code or "TooManyRequests" in code or "RequestLimitExceeded" in code:
        return errors.BUSY
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    other = errors.ENDPOINT_FAILED if status >= 500 else errors.INTERNAL
    return OF_ERROR_CODE.get(code) or OF_STATUS.get(status) or other


def _parsed(body: bytes) -> dict[str, object]:
    """The parsed and checked body, so that a caller never gets a 200 without predictions."""
    try:
        answer = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
        raise ServiceError(errors.MODEL_FAILED)
    return answer


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
