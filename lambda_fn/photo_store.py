"""Read a photo from S3, below the prefixes that the settings allow."""

import contextlib
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from lambda_fn import calls, errors
from lambda_fn.bounded import TooManyBytesError
from lambda_fn.deadline import Deadline
from lambda_fn.errors import Fault, ServiceError
from lambda_fn.photo import MAX_BYTES, check_size
from lambda_fn.request_log import RequestLog
from lambda_fn.retries import is_throttle
from lambda_fn.settings import S3Object, Settings

OF_STATUS = {
    403: errors.S3_DENIED,
    404: errors.S3_NOT_FOUND,
    429: errors.S3_UNAVAILABLE,
    500: errors.S3_UNAVAILABLE,
    503: errors.S3_UNAVAILABLE,
}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""

THROTTLED = replace(errors.S3_UNAVAILABLE, throttled=True)


def fetch(photo: S3Object, *, settings: Settings, deadline: Deadline, log: RequestLog) -> bytes:
    """The object's bytes. Raises ServiceError if it may not be read, does not exist, or is too large."""
    if not settings.may_read(photo):
        raise ServiceError(
            errors.S3_FORBIDDEN,
            f"This function may not read {photo}. The setting api.readable_s3_prefixes lists what it may read: add the "
            'prefix there and deploy, or send the photo itself as base64 in "image".',
        )

    def call() -> bytes:
        found = calls.s3().get_object(Bucket=photo.bucket, Key=photo.key)
        with contextlib.closing(found["Body"]) as body:
            check_size(found.get("ContentLength", 0))
            return body.read()

    return calls.within(deadline, log, call, fault_of, max_bytes=MAX_BYTES)


def fault_of(error: Exception) -> Fault:
    """The fault that the caller sees for an exception of botocore's."""
    if isinstance(error, calls.TIMEOUTS):
        return errors.S3_TIMED_OUT
    if isinstance(error, TooManyBytesError):
        return errors.TOO_LARGE
    if isinstance(error, calls.CONNECTION_FAULTS):
        return errors.S3_UNAVAILABLE
    if not isinstance(error, ClientError):
        return errors.INTERNAL
    response: dict[str, Any] = dict(error.response)
    if is_throttle(str(response.get("Error", {}).get("Code", ""))):
        return THROTTLED
    return OF_STATUS.get(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0), errors.INTERNAL)
