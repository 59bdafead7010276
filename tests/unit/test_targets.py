"""Several photos in flight, the waits for a busy target, and what its answers mean."""

import json
import threading
from collections.abc import Sequence

import pytest

from inference.prediction import Prediction
from ops.model.photos import NamedPhoto
from ops.model.predict import answers
from ops.targets.patience import FIRST_WAIT_S, LONGEST_WAIT_S, SPREAD, patient
from ops.targets.reply import BusyError, RefusedError, Reply, predictions_of
from tests.patience import PATIENCE_S

BEAGLE = [Prediction("Beagle", 1.0)]


def photos(folder: str, count: int) -> list[NamedPhoto]:
    return [NamedPhoto(f"{folder}/{number}") for number in range(count)]


def test_photos_are_in_flight_together_and_answered_in_order(tmp_path: object) -> None:
    together = threading.Barrier(3)
    named = photos(str(tmp_path), 9)
    for photo in named:
        with open(photo.name, "wb") as file:  # noqa: PTH123 - a name, as the command has it
            file.write(photo.name.encode())

    def predict(photo: bytes) -> Sequence[Prediction]:
        together.wait(PATIENCE_S)  # each waits for two others
        return [Prediction(photo.decode(), 1.0)]

    found = list(answers(named, predict, at_once=3))

    assert [answer.predictions[0].breed for answer in found] == [photo.name for photo in named]


class Time:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def patience(errors: list[BusyError], limit_s: float) -> tuple[Time, list[Prediction] | str]:
    """The waits, and the predictions or the sentence after them."""
    time = Time()

    def ask(_: bytes) -> list[Prediction]:
        if errors:
            raise errors.pop(0)
        return BEAGLE

    try:
        return time, patient(ask, limit_s, sleep=time.sleep, clock=lambda: time.now)(b"")
    except RefusedError as error:
        return time, str(error)


def test_the_wait_is_the_one_that_the_target_advises() -> None:
    time, found = patience([BusyError("Busy.", 7), BusyError("Busy.", 3)], 60)

    assert found == BEAGLE
    assert 7 <= time.waits[0] <= 7 * (1 + SPREAD)
    assert 3 <= time.waits[1] <= 3 * (1 + SPREAD)


def test_the_waits_double_where_the_target_advises_none() -> None:
    time, found = patience([BusyError("Busy.")] * 6, 600)

    assert found == BEAGLE
    for wait_s, least_s in zip(time.waits, (1, 2, 4, 8, 16, 16), strict=True):
        assert least_s <= wait_s <= least_s * (1 + SPREAD)
    assert (FIRST_WAIT_S, LONGEST_WAIT_S) == (1, 16)  # exact: declared


def test_a_wait_that_would_end_after_the_limit_is_not_begun() -> None:
    time, found = patience([BusyError("Busy.", 20)] * 9, 45)

    assert found == "Busy. The next try would end after the limit of 45 s (--wait); try again later."
    assert len(time.waits) in (1, 2)
    assert time.now <= 45


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (413, {"error": {"code": "too_large", "message": "Too large."}}, "Too large. (413 too_large)"),
        (403, {"message": "Forbidden"}, "Forbidden (403)"),
        (502, "<html>Bad gateway</html>", "<html>Bad gateway</html> (502)"),
        (200, {"hello": 1}, "The answer has no predictions"),
        (200, {"predictions": []}, "The answer has no predictions"),
        (200, {"predictions": [{"breed": 1, "probability": 0.5}]}, "The answer has no predictions"),
        (200, {"predictions": [{"breed": "Beagle", "probability": True}]}, "The answer has no predictions"),
        (200, '{"predictions": [{"breed": "Beagle", "probability": NaN}]}', "The answer has no predictions"),
        (200, "[" * 100_000, "The answer has no predictions"),
    ],
)
def test_an_answer_without_predictions_is_a_sentence(status: int, body: object, sentence: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)

    with pytest.raises(RefusedError) as caught:
        predictions_of(Reply(status=status, body=text.encode()))

    assert str(caught.value).startswith(sentence)
    assert not isinstance(caught.value, BusyError)


@pytest.mark.parametrize(
    ("retry_after", "body", "wait_s"),
    [
        ("12", {"error": {"message": "Busy.", "retry_after_s": 5}}, 12),
        ("", {"error": {"message": "Busy.", "retry_after_s": 5}}, 5),
        ("", {"message": "Too Many Requests"}, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, None),
        ("-1", {}, None),
        ("inf", {}, None),
    ],
)
def test_a_busy_answer_has_its_wait(retry_after: str, body: object, wait_s: float | None) -> None:
    for status in (429, 503):
        with pytest.raises(BusyError) as caught:
            predictions_of(Reply(status=status, body=json.dumps(body).encode(), retry_after=retry_after))
        assert caught.value.wait_s == wait_s  # exact: parsed
