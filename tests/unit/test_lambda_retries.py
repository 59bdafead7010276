"""A throttle is retried several times, any other fault once, and all retries together stay within a budget."""

import random
import time
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from lambda_fn import calls, endpoint, photo_store
from lambda_fn.calls import within
from lambda_fn.deadline import Deadline
from lambda_fn.errors import BUSY, S3_UNAVAILABLE, ServiceError
from lambda_fn.request_log import RequestLog
from lambda_fn.retries import LEAST_THROTTLE_PAUSE_S, MOST_THROTTLE_PAUSE_S, RetryBudget


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "InvokeEndpoint")  # type: ignore[typeddict-item]


THROTTLE, UNAVAILABLE, FULL = (
    refusal("ThrottlingException"),
    refusal("ServiceUnavailable", 503),
    refusal("ModelNotReadyException", 429),
)
Raises = Callable[[], Exception | None]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before retries, in seconds, with a full budget; none of them takes time."""
    taken: list[float] = []
    monkeypatch.setattr("lambda_fn.calls.time.sleep", taken.append)
    monkeypatch.setattr(calls, "BUDGET", RetryBudget())
    monkeypatch.setattr(calls, "bounded", lambda work, **_: work())  # thousands of calls need no thread each
    return taken


def requests_of(raises: Raises, *, left_s: float = 28) -> tuple[bool, int]:
    """Whether a call succeeds, and the requests that it makes. `raises()` is the outcome of one request."""

    def call() -> None:
        if error := raises():
            raise error

    log = RequestLog()
    try:
        within(Deadline(time.monotonic() + left_s), log, call, endpoint.fault_of, max_bytes=9)
    except ServiceError:
        return False, log.attempts
    return True, log.attempts


def one_after_another(*errors: Exception | None) -> Raises:
    return iter(errors).__next__


def throttling(share: float, seed: int = 1) -> Raises:
    draw = random.Random(seed).random
    return lambda: THROTTLE if draw() < share else None


@pytest.mark.parametrize("throttles", [1, 2, 3, 4])
def test_a_call_survives_four_throttles(throttles: int) -> None:
    assert requests_of(one_after_another(*[THROTTLE] * throttles, None)) == (True, throttles + 1)


def test_a_fifth_throttle_is_the_callers() -> None:
    assert requests_of(lambda: THROTTLE) == (False, 5)


def test_the_pauses_between_throttles_are_drawn_and_grow(pauses: list[float]) -> None:
    for _ in range(200):
        calls.BUDGET = RetryBudget()
        pauses.clear()
        requests_of(lambda: THROTTLE)
        for before, pause in zip([LEAST_THROTTLE_PAUSE_S, *pauses], pauses, strict=False):
            assert LEAST_THROTTLE_PAUSE_S <= pause <= min(MOST_THROTTLE_PAUSE_S, 3 * before)
    assert len(set(pauses)) > 1


def test_a_throttle_is_retried_only_while_the_deadline_allows_it(pauses: list[float]) -> None:
    assert requests_of(lambda: THROTTLE, left_s=LEAST_THROTTLE_PAUSE_S + 0.4) == (False, 1)
    assert not pauses


@pytest.mark.parametrize("fault", [UNAVAILABLE, FULL])
def test_throttles_allow_no_second_retry_of_another_fault(fault: ClientError) -> None:
    assert requests_of(lambda: fault) == (False, 2)
    assert requests_of(one_after_another(THROTTLE, fault, THROTTLE, fault)) == (False, 4)


def test_callers_see_no_fault_while_a_third_of_the_calls_is_throttled() -> None:
    raises = throttling(0.3)
    outcomes = [requests_of(raises) for _ in range(3000)]

    assert sum(succeeded for succeeded, _ in outcomes) / 3000 >= 0.99
    assert sum(requests for _, requests in outcomes) / 3000 < 1.5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
def test_the_requests_stay_two_for_each_call_whatever_share_is_throttled(share: float) -> None:
    """As with one retry of each call, but for what the budget begins with."""
    raises = throttling(share)
    requests = sum(requests_of(raises)[1] for _ in range(1000))

    assert requests <= 2.05 * 1000 + RetryBudget.MOST


def test_while_everything_is_throttled_a_call_is_made_twice() -> None:
    counts = [requests_of(lambda: THROTTLE)[1] for _ in range(20)]

    assert counts[:3] == [5, 5, 5]
    assert set(counts[4:]) == {2}


def test_answered_calls_earn_retries() -> None:
    for _ in range(20):
        requests_of(lambda: THROTTLE)
    assert requests_of(one_after_another(THROTTLE, THROTTLE, None)) == (False, 2)
    for _ in range(2):
        requests_of(lambda: None)
    assert requests_of(one_after_another(THROTTLE, THROTTLE, None)) == (True, 3)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"]
)
def test_the_caller_sees_a_throttle_as_a_busy_service(code: str) -> None:
    for fault_of, seen in ((endpoint.fault_of, BUSY), (photo_store.fault_of, S3_UNAVAILABLE)):
        fault = fault_of(refusal(code, 503))
        assert fault.throttled
        assert ServiceError(fault).response("") == ServiceError(seen).response("")


@pytest.mark.parametrize("status", ["422", "a traceback", [422], {}])
def test_a_status_of_the_container_that_is_no_number_is_a_failure_of_the_model(status: object) -> None:
    error = refusal("ModelError", 424)
    error.response["OriginalStatusCode"] = status  # type: ignore[typeddict-unknown-key]
    assert endpoint.fault_of(error).code == "model_failed"
