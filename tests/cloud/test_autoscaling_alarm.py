"""The state of an alarm, missing data included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.autoscaling.alarm import Alarm, State

HIGH = Alarm(3, 25, above=True)
POINT = {"0": 0.0, "X": 30.0, "-": None}


@pytest.mark.parametrize("points", ["----X", "---X-"])
def test_a_point_that_could_be_premature_does_not_fire(points: str) -> None:
    assert HIGH.state([POINT[each] for each in points]) != State.ALARM


@pytest.mark.parametrize("length", [3, 15])
def test_an_alarm_fires_at_its_last_point_and_not_one_before(length: int) -> None:
    alarm = Alarm(length, 25, above=True)

    assert alarm.state([0.0] * 4 + [30.0] * (length - 1)) == State.OK
    assert alarm.state([0.0] * 4 + [30.0] * length) == State.ALARM


def test_a_new_variant_with_too_few_minutes_does_not_fire() -> None:
    low = Alarm(15, 22.5, above=False)

    assert low.state([0.0] * 14) == State.INSUFFICIENT_DATA
    assert low.state([0.0] * 15) == State.ALARM


def test_a_point_at_the_threshold_does_not_breach() -> None:
    assert HIGH.state([25.0] * 3) == State.OK
    assert Alarm(15, 22.5, above=False).state([22.5] * 15) == State.OK


@given(st.lists(st.floats(0, 100), max_size=40), st.integers(1, 20), st.floats(1, 99), st.booleans())
def test_with_every_point_an_alarm_fires_if_and_only_if_its_newest_points_breach(
    points: list[float], length: int, threshold: float, above: bool
) -> None:
    newest = points[-length:]
    breach = [value > threshold if above else value < threshold for value in newest]

    fires = Alarm(length, threshold, above).state(points) == State.ALARM

    assert fires == (len(newest) == length and all(breach))
