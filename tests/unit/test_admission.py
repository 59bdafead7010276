"""Admission: requests are accepted as long as the queue can be answered within SageMaker's 60 s."""

import pytest

from inference.server.admission import LIMIT_S, MARGIN, Admission
from inference.server.errors import BusyError, RequestError


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def after(*seconds_each: float, cores: int = 2) -> tuple[Admission, Clock]:
    """An admission that has processed one photo for each of these durations."""
    clock = Clock()
    admission = Admission(cores, clock=clock)
    for seconds in seconds_each:
        with admission.work(clock.now):
            clock.now += seconds
    return admission, clock


def test_before_the_first_measurement_every_request_is_accepted() -> None:
    admission, _ = after()
    with admission.photos(10_000), admission.photos(1):
        assert admission.expected_s() == 0


def test_the_expected_time_is_the_work_in_the_queue_divided_by_the_cores() -> None:
    admission, _ = after(0.5)
    with admission.photos(3), admission.photos(1):
        assert admission.expected_s() == pytest.approx(4 * 0.5 / 2)
    assert admission.expected_s() == 0


def test_a_request_that_exceeds_the_limit_is_refused_with_retry_after() -> None:
    admission, _ = after(1.0)
    most = int(LIMIT_S * MARGIN * 2)
    with admission.photos(most - 1):
        with admission.photos(1):
            pass
        with pytest.raises(BusyError, match=rf"{most - 1} photos are waiting, 48 s of work with yours") as caught:
            admission.photos(2).__enter__()
    assert caught.value.status == 429
    assert caught.value.retry_after_s == 25
    with admission.photos(1):  # the queue is empty again
        pass


def test_callers_that_wait_less_long_make_a_shorter_queue() -> None:
    """The Lambda function gives up after 29 s. An answer from a queue of 48 s would come too late for it."""
    clock = Clock()
    admission = Admission(1, limit_s=29, clock=clock)
    with admission.work(clock.now):
        clock.now += 1

    with admission.photos(23), pytest.raises(BusyError):
        admission.check()
    with admission.photos(22):
        admission.check()

    arrived = clock.now
    clock.now += 29.5
    with pytest.raises(RequestError, match="more than 29 s"), admission.work(arrived):
        raise AssertionError("the work started")


def test_a_request_to_an_empty_queue_is_accepted_however_long_it_takes() -> None:
    admission, _ = after(100.0)
    with admission.photos(32), pytest.raises(BusyError):
        admission.check()


def test_the_estimate_follows_the_duration_of_recent_photos() -> None:
    slower, _ = after(0.01, *[1.0] * 50)
    with slower.photos(2):
        assert slower.expected_s() == pytest.approx(1, rel=0.02)
    faster, _ = after(10.0, *[0.01] * 100)
    with faster.photos(2):
        assert faster.expected_s() < 0.02


def test_a_photo_that_fails_leaves_the_queue_and_counts_in_the_average() -> None:
    admission, clock = after()

    def broken() -> None:
        with admission.photos(5), admission.work(clock.now):
            clock.now += 3
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert admission.expected_s() == 0
    with admission.photos(2):
        assert admission.expected_s() == pytest.approx(3)


def test_work_does_not_start_after_its_caller_has_timed_out() -> None:
    admission, clock = after(1.0)
    arrived = clock.now
    clock.now += LIMIT_S + 1
    with pytest.raises(RequestError) as caught, admission.work(arrived):
        raise AssertionError("the work started")
    assert (caught.value.status, caught.value.code) == (503, "too_late")
