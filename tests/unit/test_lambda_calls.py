"""Calls to AWS end before the deadline."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from lambda_fn.calls import within
from lambda_fn.deadline import Deadline
from lambda_fn.endpoint import fault_of
from lambda_fn.errors import BUSY, ENDPOINT_FAILED, TIMED_OUT, TOO_LARGE, UNREACHABLE, Fault, ServiceError, busy_for
from lambda_fn.request_log import RequestLog
from lambda_fn.retries import JITTER, LEAST_CALL_S
from tests.builders import any_photo


class Context:
    aws_request_id = "request-1"

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


def in_s(seconds: float) -> Deadline:
    return Deadline(time.monotonic() + seconds)


def refused() -> None:
    raise EndpointConnectionError(endpoint_url="https://runtime.sagemaker.example")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before retries, in seconds; none of them takes time."""
    taken: list[float] = []
    monkeypatch.setattr("lambda_fn.calls.time.sleep", taken.append)
    return taken


def passing(_: Exception) -> Fault:
    return UNREACHABLE


def test_without_a_context_the_limit_is_that_of_the_gateway() -> None:
    assert 24 < Deadline.of(None).left_s() <= 28  # API Gateway waits 29 s, and the response takes time as well


def test_a_log_line_stays_short_whatever_the_error_says() -> None:
    """Lambda splits a line above 256 KB, and CloudWatch charges by the byte."""
    log = RequestLog()
    for _ in range(2):
        log.note_cause(RuntimeError("x" * 100_000))
    try:
        raise RuntimeError("y" * 100_000)
    except RuntimeError:
        log.note_bug()
    assert max(map(len, log.causes)) <= 500
    assert len(log.bug or "") <= 4000


@pytest.mark.parametrize(("status", "fault"), [(413, TOO_LARGE), (429, BUSY), (503, BUSY), (500, ENDPOINT_FAILED)])
def test_a_response_without_sagemakers_error_code_is_mapped_by_its_status(status: int, fault: Fault) -> None:
    """A load balancer in front of SageMaker sends no error codes; its 503 means: try again later."""
    response: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert fault_of(ClientError(response, "InvokeEndpoint")) is fault


def test_the_function_keeps_time_to_respond() -> None:
    """The response must be built, logged and returned before Lambda ends the function. Otherwise the caller gets
    Lambda's own error."""
    assert Deadline.of(Context(10)).left_s() <= 9.6


@pytest.mark.parametrize("left_s", [0.1, 0, -3])
def test_without_time_left_no_call_is_made(left_s: float) -> None:
    log = RequestLog()

    with pytest.raises(ServiceError) as caught:
        within(in_s(left_s), log, refused, passing, max_bytes=9)
    assert log.attempts == 0
    assert caught.value.fault is TIMED_OUT


def test_a_retryable_fault_is_retried_once() -> None:
    log = RequestLog()

    with pytest.raises(ServiceError):
        within(in_s(60), log, refused, passing, max_bytes=9)
    assert log.attempts == len(log.causes) == 2


def test_without_time_for_a_retry_the_fault_is_raised_at_once(pauses: list[float]) -> None:
    log = RequestLog()

    with pytest.raises(ServiceError) as caught:
        within(in_s(LEAST_CALL_S + 0.2), log, refused, passing, max_bytes=9)
    assert caught.value.fault is UNREACHABLE
    assert log.attempts == 1
    assert not pauses


@pytest.mark.parametrize(
    ("wait_s", "left_s", "attempts"), [(1, 28, 2), (9, 28, 2), (24, 28.5, 1), (15, 28, 1), (24, 90, 2), (1, 2, 1)]
)
def test_the_wait_that_the_container_advises_is_kept_or_handed_on(
    pauses: list[float], wait_s: int, left_s: float, attempts: int
) -> None:
    """The container advises half of its queue's time, so a retry needs the wait twice."""
    log = RequestLog()

    with pytest.raises(ServiceError) as caught:
        within(in_s(left_s), log, refused, lambda _: busy_for(wait_s), max_bytes=9)
    assert log.attempts == attempts
    assert len(pauses) == attempts - 1
    assert all(wait_s <= pause <= wait_s * (1 + JITTER) for pause in pauses)
    assert caught.value.response("")["headers"]["Retry-After"] == str(wait_s)


def test_callers_that_are_refused_together_return_at_different_times(pauses: list[float]) -> None:
    for _ in range(20):
        with pytest.raises(ServiceError):
            within(in_s(60), RequestLog(), refused, lambda _: busy_for(4), max_bytes=9)
    assert len(set(pauses)) > 10


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ('{"error": {"code": "busy", "message": "...", "retry_after_s": 24}}', 24),
        ('{"error": {"code": "busy", "message": "..."}}', 2),
        ('{"error": {"retry_after_s": "24"}}', 2),
        ('{"error": {"retry_after_s": true}}', 2),
        ('{"error": {"retry_after_s": -5}}', 2),
        ('{"error": {"retry_after_s": 1e999}}', 2),
        ('{"error": {"retry_after_s": 86400}}', 2),
        ('{"error": ["busy"]}', 2),
        ("[" * 100_000, 2),
        ("Too many requests", 2),
        (None, 2),
    ],
)
def test_the_advised_wait_is_read_from_the_containers_body(message: object, wait_s: int) -> None:
    response: Any = {"Error": {"Code": "ModelError"}, "OriginalStatusCode": 429, "OriginalMessage": message}
    fault = fault_of(ClientError(response, "InvokeEndpoint"))

    assert (fault.status, fault.code, fault.retryable) == (503, "busy", True)
    assert (fault.retry_after_s, fault.advised_wait_s) == (wait_s, wait_s)


def refused_by_container(message: object, status: int = 413) -> Fault:
    response: Any = {"Error": {"Code": "ModelError"}, "OriginalStatusCode": status, "OriginalMessage": message}
    return fault_of(ClientError(response, "InvokeEndpoint"))


def test_the_containers_sentence_about_a_photo_reaches_the_caller() -> None:
    """The sentence is the decoder's own, for a photo above its limit, and names size, limit and remedy."""
    with pytest.raises(PhotoError) as refused:
        decode(any_photo(format="WEBP", size=(2400, 2000), lossless=True), shorter_side=256)
    error = refused.value
    fault = refused_by_container(json.dumps({"error": {"code": error.kind, "message": error.message}}))

    assert (fault.status, fault.code) == (413, "too_large")
    assert fault.message == error.message
    assert "2400 x 2000 pixels, and a WebP may have at most" in fault.message


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": "internal", "message": "Traceback"},
        {"code": "too_many_pixels", "message": "x" * 401},
        {"code": "too_many_pixels", "message": "a\nb"},
        {"code": "too_many_pixels", "message": ""},
        {"code": "too_many_pixels", "message": ["x"]},
        {"code": ["too_many_pixels"], "message": "x"},
        {"code": {}, "message": "x"},
        {},
        [],
        "too_many_pixels",
    ],
)
def test_any_other_sentence_of_the_container_is_replaced(refusal: object) -> None:
    assert refused_by_container(json.dumps({"error": refusal})) == TOO_LARGE
