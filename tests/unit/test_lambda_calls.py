"""Calls to AWS end before the deadline."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_fn.calls import (
    CONNECT_TIMEOUT_S,
    MAX_ATTEMPTS,
    READ_TIMEOUTS_S,
    USUAL_READ_TIMEOUT_S,
    read_timeout_s,
    within,
)
from lambda_fn.deadline import Deadline
from lambda_fn.endpoint import fault_of
from lambda_fn.errors import BUSY, ENDPOINT_FAILED, TIMED_OUT, TOO_LARGE, UNREACHABLE, Fault, ServiceError
from lambda_fn.request_log import RequestLog
from stacks.settings import Settings


class Context:
    aws_request_id = "request-1"

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


def in_s(seconds: float) -> Deadline:
    return Deadline(time.monotonic() + seconds)


def refused(_: float) -> None:
    raise EndpointConnectionError(endpoint_url="https://runtime.sagemaker.example")


def passing(_: Exception) -> Fault:
    return UNREACHABLE


@pytest.mark.parametrize("limit_s", [2, 3, 10, 29, 30, 60, 900])
def test_a_call_that_hangs_ends_before_lambda_ends_the_function(limit_s: float) -> None:
    read_s = read_timeout_s(Deadline.of(Context(limit_s)))

    assert read_s in READ_TIMEOUTS_S
    assert read_s + min(CONNECT_TIMEOUT_S, read_s / 2) < limit_s


@pytest.mark.parametrize("read_s", READ_TIMEOUTS_S[1:])
def test_after_the_slowest_call_there_is_time_left_to_respond(read_s: float) -> None:
    """The response must be built, logged and returned before Lambda ends the function. Otherwise the caller gets
    Lambda's own error. The limit here fits `read_s` almost exactly, so that without a reserve no time would be left.
    """
    limit_s = read_s + min(CONNECT_TIMEOUT_S, read_s / 2) + 0.1
    slowest_s = read_timeout_s(Deadline.of(Context(limit_s)))
    assert limit_s - (slowest_s + min(CONNECT_TIMEOUT_S, slowest_s / 2)) >= 0.4


def test_without_a_context_the_limit_is_that_of_the_gateway() -> None:
    assert 24 < Deadline.of(None).left_s() <= 28  # API Gateway waits 29 s, and the response takes time as well


@pytest.mark.parametrize("limit_s", [Settings().api.timeout_s, 29])
def test_the_client_that_is_made_at_start_is_the_one_of_the_first_call(limit_s: int) -> None:
    """Another client would be made during that call, and its caller would wait for it."""
    assert read_timeout_s(Deadline.of(Context(limit_s))) == USUAL_READ_TIMEOUT_S


def test_a_log_line_stays_short_whatever_the_error_says() -> None:
    """Lambda splits a line above 256 KB, and CloudWatch charges by the byte."""
    log = RequestLog()
    for _ in range(MAX_ATTEMPTS):
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


def test_without_time_left_no_call_is_made() -> None:
    log = RequestLog()

    with pytest.raises(ServiceError) as caught:
        within(in_s(0.1), log, refused, passing)
    assert log.attempts == 0
    assert caught.value.fault is TIMED_OUT


def test_a_retryable_fault_is_retried_a_limited_number_of_times() -> None:
    log = RequestLog()

    with pytest.raises(ServiceError):
        within(in_s(60), log, refused, passing)
    assert log.attempts == len(log.causes) == MAX_ATTEMPTS


def test_at_the_deadline_the_last_fault_is_raised() -> None:
    log = RequestLog()

    with pytest.raises(ServiceError) as caught:
        within(in_s(1.4), log, refused, passing)
    assert caught.value.fault is UNREACHABLE
    assert 1 <= log.attempts < MAX_ATTEMPTS
