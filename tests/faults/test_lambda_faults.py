"""For each fault of the endpoint the caller gets the mapped status in time, and no internal detail."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.processes import free_port
from tests.faults.fault_server import (
    Fault,
    FaultServer,
    answers,
    busy_model,
    cuts_short,
    error,
    misbehaving,
    model_error,
    resets,
    web_page,
)
from tests.rehearsal.container import REPOSITORY, any_event

LEAKS = ("secret", "Traceback", "arn:", "/opt/", "127.0.0.1", "botocore", "amazonaws", "Message:")

THROTTLED = error(400, "ThrottlingException")
BUSY = error(503, "ServiceUnavailable")
NOT_READY = error(429, "ModelNotReadyException")
WITH_BOTOCORES_RETRIES = {"AWS_MAX_ATTEMPTS": "10", "AWS_RETRY_MODE": "adaptive"}
"""What an operator may have set. It must not multiply with the function's own retry."""


def function_of(url: str, timeout_s: float = 60) -> LambdaRuntime:
    return LambdaRuntime(
        "lambda_fn.handler.handler",
        task_root=REPOSITORY,
        env={"ENDPOINT_NAME": "dogs", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url, **WITH_BOTOCORES_RETRIES},
        timeout_s=timeout_s,
    )


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[LambdaRuntime, FaultServer]]:
    with misbehaving() as faults, function_of(faults.url) as function:
        yield function, faults


@pytest.fixture
def with_short_timeout(faults: FaultServer) -> Iterator[LambdaRuntime]:
    with function_of(faults.url, timeout_s=4) as function:
        yield function


@pytest.fixture
def function(parts: tuple[LambdaRuntime, FaultServer]) -> LambdaRuntime:
    return parts[0]


@pytest.fixture
def faults(parts: tuple[LambdaRuntime, FaultServer]) -> FaultServer:
    return parts[1]


def outcome(function: LambdaRuntime) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and error of a call that must fail, after a check that the body leaks nothing."""
    response = function.invoke(any_event())
    assert not [leak for leak in LEAKS if leak in response["body"]]
    failure = json.loads(response["body"])["error"]
    assert set(failure) - {"retry_after_s"} == {"code", "message", "request_id"}
    return response["statusCode"], response["headers"], failure


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (model_error(0), 504, "timed_out"),
        (model_error(400), 400, "bad_request"),
        (model_error(406), 400, "refused"),
        (model_error(413), 413, "too_large"),
        (model_error(415), 415, "unsupported_type"),
        (model_error(422), 422, "unreadable"),
        (model_error(500), 502, "model_failed"),
        (model_error(503), 502, "model_failed"),
        (error(400, "ValidationError"), 503, "unavailable"),
        (error(413, None), 413, "too_large"),
        (error(403, "AccessDeniedException"), 500, "internal"),
        (error(403, "ExpiredTokenException"), 500, "internal"),
        (error(400, "SomethingNewException"), 500, "internal"),
    ],
    ids=lambda value: str(value) if isinstance(value, int | str) else "",
)
def test_a_fault_that_is_not_retryable_is_reported_at_once(
    function: LambdaRuntime, faults: FaultServer, fault: Fault, status: int, code: str
) -> None:
    faults.play(fault)

    answered, headers, failure = outcome(function)
    assert (answered, failure["code"]) == (status, code)
    assert faults.calls == 1
    assert ("Retry-After" in headers) == (status == 503)


@pytest.mark.parametrize(
    "fault",
    [
        THROTTLED,
        BUSY,
        NOT_READY,
        error(429, None),
        model_error(429),
        error(500, "InternalFailure"),
        error(530, "InternalDependencyException"),
        resets,
        cuts_short,
    ],
    ids=["throttled", "busy", "not ready", "429", "model busy", "internal", "dependency", "reset", "cut short"],
)
def test_a_retryable_fault_is_retried_once(function: LambdaRuntime, faults: FaultServer, fault: Fault) -> None:
    faults.play(fault, answers)

    assert function.invoke(any_event())["statusCode"] == 200
    assert faults.calls == 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (BUSY, 503, "busy"),
        (NOT_READY, 503, "busy"),
        (model_error(429), 503, "busy"),
        (busy_model(1), 503, "busy"),
        (error(500, "InternalFailure"), 502, "endpoint_failed"),
        (error(530, "InternalDependencyException"), 502, "endpoint_failed"),
        (resets, 503, "unreachable"),
        (cuts_short, 503, "unreachable"),
        (web_page, 502, "endpoint_failed"),
    ],
    ids=lambda value: str(value) if isinstance(value, int | str) else "",
)
def test_a_persistent_fault_reaches_the_endpoint_twice_and_no_more(
    function: LambdaRuntime, faults: FaultServer, fault: Fault, status: int, code: str
) -> None:
    faults.play(fault)

    answered, headers, failure = outcome(function)
    assert (answered, failure["code"]) == (status, code)
    assert faults.calls == 2
    assert ("Retry-After" in headers) == (status == 503)


def test_a_persistent_throttle_is_reported_before_the_deadline(
    with_short_timeout: LambdaRuntime, faults: FaultServer
) -> None:
    faults.play(THROTTLED)

    status, headers, failure = outcome(with_short_timeout)
    assert (status, failure["code"]) == (503, "busy")
    assert 2 <= faults.calls <= 5  # fewer where the pauses are long
    assert "Retry-After" in headers


def test_throttles_are_retried_until_the_endpoint_answers(function: LambdaRuntime, faults: FaultServer) -> None:
    faults.play(THROTTLED, THROTTLED, THROTTLED, answers)

    assert function.invoke(any_event())["statusCode"] == 200
    assert faults.calls == 4


def test_a_full_queue_is_not_asked_again_before_the_time_that_it_advises(faults: FaultServer) -> None:
    """Each call carries the whole photo and counts as an invocation for the endpoint's autoscaling."""
    faults.play(busy_model(24))
    with function_of(faults.url, timeout_s=29) as function:
        status, headers, failure = outcome(function)

    assert (status, failure["code"], headers["Retry-After"]) == (503, "busy", "24")
    assert faults.calls == 1


def test_the_retry_comes_no_sooner_than_the_container_advises(function: LambdaRuntime, faults: FaultServer) -> None:
    faults.play(busy_model(1), answers)
    began = time.monotonic()

    assert function.invoke(any_event())["statusCode"] == 200
    assert time.monotonic() - began >= 1
    assert faults.calls == 2


@pytest.mark.parametrize("where", ["before the answer", "in its body", "a byte at a time"])
def test_a_hanging_endpoint_is_called_once_and_reported_in_time(
    with_short_timeout: LambdaRuntime, faults: FaultServer, where: str
) -> None:
    hangs = {"before the answer": faults.hangs, "in its body": faults.hangs_in_the_body}
    faults.play(hangs.get(where, faults.drips))

    status, _, failure = outcome(with_short_timeout)  # it would be a FunctionError if Lambda's own timeout came first
    assert (status, failure["code"]) == (504, "timed_out")
    assert faults.calls == 1


def test_a_hang_after_throttling_is_reported_in_time(with_short_timeout: LambdaRuntime, faults: FaultServer) -> None:
    faults.play(THROTTLED, faults.hangs)

    assert outcome(with_short_timeout)[0] == 504
    assert faults.calls == 2


def test_an_endpoint_that_does_not_listen_is_a_503() -> None:
    with function_of(f"http://127.0.0.1:{free_port()}") as function:
        status, headers, failure = outcome(function)

    assert (status, failure["code"]) == (503, "unreachable")
    assert "Retry-After" in headers


def test_the_log_has_the_cause_that_the_caller_does_not_see(function: LambdaRuntime, faults: FaultServer) -> None:
    faults.play(model_error(500))
    before = len(function.log)

    _, _, failure = outcome(function)
    entry = json.loads(function.log[before:])
    assert entry["request_id"] == failure["request_id"]
    assert "ModelError" in entry["causes"][0]
    assert "secret.py" in entry["causes"][0]


def test_callers_see_no_fault_while_a_third_of_the_calls_fails(function: LambdaRuntime, faults: FaultServer) -> None:
    faults.play(*[THROTTLED, answers, answers] * 30)

    statuses = [function.invoke(any_event())["statusCode"] for _ in range(30)]
    assert statuses == [200] * 30
