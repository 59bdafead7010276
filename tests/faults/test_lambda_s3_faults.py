"""For each fault of S3 the caller gets the mapped status in time."""

import json
from collections.abc import Iterator

import pytest

from lambda_fn.photo import MAX_BYTES
from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.loopback_server import LoopbackHandler
from tests.faults.fault_server import Fault, FaultServer, cuts_short, error, misbehaving, resets
from tests.rehearsal.container import JPEG
from tests.rehearsal.function import function_and_container


def returns_a_photo(handler: LoopbackHandler) -> None:
    handler.answer(200, JPEG)


def announces_too_much(handler: LoopbackHandler) -> None:
    """The head of a large object and its first bytes; the others never come."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(MAX_BYTES * 1000))
    handler.end_headers()
    handler.wfile.write(JPEG)


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[LambdaRuntime, FaultServer]]:
    with (
        misbehaving() as faults,
        function_and_container(
            timeout_s=4,
            READABLE_S3_PREFIXES="s3://photos/",
            AWS_ENDPOINT_URL_S3=faults.url,
            AWS_MAX_ATTEMPTS="10",  # botocore's own retries must not multiply with the function's
        ) as (function, _),
    ):
        yield function, faults


def classify(function: LambdaRuntime) -> tuple[int, str]:
    response = function.invoke({"s3": {"bucket": "photos", "key": "dog.jpg"}})
    assert "secret" not in response["body"]
    return response["statusCode"], json.loads(response["body"]).get("error", {}).get("code")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (error(403, "AccessDenied"), 403, "s3_denied"),
        (error(404, "NoSuchKey"), 404, "s3_not_found"),
        (error(400, "SomethingNew"), 500, "internal"),
        (announces_too_much, 413, "too_large"),
    ],
    ids=["denied", "missing", "unknown", "too large"],
)
def test_a_fault_that_is_not_retryable_is_reported_at_once(
    parts: tuple[LambdaRuntime, FaultServer], fault: Fault, status: int, code: str
) -> None:
    function, faults = parts
    faults.play(fault)

    assert classify(function) == (status, code)
    assert faults.calls == 1


@pytest.mark.parametrize("fault", [error(503, "SlowDown"), resets, cuts_short], ids=["slow down", "reset", "cut short"])
def test_a_retryable_fault_is_retried(parts: tuple[LambdaRuntime, FaultServer], fault: Fault) -> None:
    function, faults = parts
    faults.play(fault, returns_a_photo)

    assert classify(function)[0] == 200
    assert faults.calls == 2


@pytest.mark.parametrize(
    "fault",
    [error(503, "ServiceUnavailable"), error(500, "InternalError"), resets, cuts_short],
    ids=["unavailable", "internal", "reset", "cut short"],
)
def test_a_persistent_fault_reaches_s3_twice_and_no_more(
    parts: tuple[LambdaRuntime, FaultServer], fault: Fault
) -> None:
    function, faults = parts
    faults.play(fault)

    assert classify(function) == (503, "s3_unavailable")
    assert faults.calls == 2


def test_a_hang_is_reported_in_time(parts: tuple[LambdaRuntime, FaultServer]) -> None:
    function, faults = parts
    faults.play(faults.hangs)

    assert classify(function) == (504, "s3_timed_out")
    assert faults.calls == 1
