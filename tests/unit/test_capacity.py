"""The simulated fleet: it scales by the rehearsal's rules, refuses by the server's, and waits as theory says."""

import math
from pathlib import Path

import pytest

from ops.capacity.errors import CapacityError
from ops.capacity.instance import Instance
from ops.capacity.load import MOST_CALLS, Load, constant, trace, with_canary
from ops.capacity.needs import Needs
from ops.capacity.plot import draw
from ops.capacity.result import Result
from ops.capacity.simulation import Rules, SimulatedMinute, simulate
from ops.rehearse.load import high_rate, low_rate
from stacks.settings.serving import ScalingSettings


def rules(*, photo_s: float = 0.025, initial: int = 1, start_s: float = 300, **scaling: int) -> Rules:
    return Rules(scaling=ScalingSettings(**scaling), initial=initial, photo_s=photo_s, start_s=start_s)


def result(minutes: list[SimulatedMinute], *, hour_usd: float = 0.1, patience_s: float = 29) -> Result:
    return Result(minutes, hour_usd, patience_s)


# -- one instance


def test_a_photo_waits_for_those_before_it() -> None:
    instance = Instance(0.5)

    answers = [instance.answer(arrived) for arrived in (0.0, 0.0, 0.25, 5.0)]

    assert answers == [0.5, 1.0, 1.25, 0.5]  # exact: sums of quarters


def test_the_first_photo_of_a_long_queue_that_is_refused_is_the_one_that_would_wait_48_s() -> None:
    """Admission keeps 80 % of SageMaker's 60 s."""
    instance = Instance(1.0)

    answers = [instance.answer(0.0) for _ in range(60)]

    assert answers[:48] == [float(number) for number in range(1, 49)]  # exact: sums of whole seconds
    assert answers[48:] == [None] * 12
    assert instance.answer(1.0) == 48.0  # exact: whole seconds; one photo has been answered
    assert instance.answer(1.0) is None


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_the_mean_wait_is_that_of_queueing_theory(share: float) -> None:
    """Pollaczek and Khinchine's formula for random arrivals and a constant time: share / (2 (1 - share)) photos."""
    photo_s = 0.025
    load = constant(share / photo_s, 12, seed=1)

    minutes = simulate(load, rules(photo_s=photo_s, min_instances=1, max_instances=1), seed=1)

    waits = [latency - photo_s for minute in minutes for latency in minute.latencies_s]
    assert sum(waits) / len(waits) == pytest.approx(photo_s * share / (2 * (1 - share)), rel=0.1)


def test_callers_that_wait_less_long_are_refused_rather_than_answered_too_late() -> None:
    load = constant(20, 10, seed=0)
    overloaded = Rules(scaling=ScalingSettings(max_instances=1), initial=1, photo_s=0.5, start_s=300, callers_wait_s=29)

    found = result(simulate(load, overloaded, seed=0))

    assert found.late == 0
    assert (found.calls - found.refused) / 600 == pytest.approx(2, rel=0.1)  # as many as one instance can answer


# -- the fleet


def test_the_fleet_grows_and_shrinks_under_the_load_that_the_rehearsal_makes() -> None:
    low, high = low_rate(25), high_rate(25, 3)
    load = Load([low] * 5 + [high] * 15 + [low] * 30, "low, high, low")

    minutes = simulate(load, rules(start_s=60), seed=0)

    counts = [minute.in_service for minute in minutes]
    assert counts[:6] == [1] * 6
    assert max(counts) == 3
    assert counts.index(3) >= 5 + 3  # the alarm needs three minutes
    assert counts[-1] == 1
    assert all(minute.refused == 0 for minute in minutes)


def test_new_instances_answer_only_after_their_start() -> None:
    minutes = simulate(Load([200] * 20, "high"), rules(start_s=600), seed=0)

    wanted = next(number for number, minute in enumerate(minutes) if minute.desired == 3)
    there = next(number for number, minute in enumerate(minutes) if minute.in_service == 3)
    assert there - wanted == 10


@pytest.mark.parametrize("low", [1, 2])
def test_the_fleet_stays_within_its_bounds(low: int) -> None:
    load = Load([0] * 20 + [300] * 20 + [0] * 40, "none, much, none")

    minutes = simulate(load, rules(initial=low, min_instances=low, max_instances=4, start_s=60), seed=0)

    assert {minute.in_service for minute in minutes} == {low, 4}


def test_calls_beyond_the_fleet_are_refused_or_late() -> None:
    load = constant(20, 10, seed=0)

    found = result(simulate(load, rules(photo_s=0.5, max_instances=1), seed=0))

    answered = found.calls - found.refused
    assert answered / 600 == pytest.approx(2, rel=0.1)  # what one instance can answer, and the queue at the end
    assert found.late > answered / 2


def test_the_same_seed_gives_the_same_minutes_and_another_one_does_not() -> None:
    def run(seed: int) -> list[list[float]]:
        return [list(minute.latencies_s) for minute in simulate(constant(5, 5, seed), rules(), seed)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_more_instances_answer_sooner() -> None:
    load = constant(35, 2, seed=0)

    one, two = (
        result(simulate(load, rules(initial=count, min_instances=count, max_instances=count), seed=0))
        for count in (1, 2)
    )

    assert (two.latencies_ms()[2] or math.inf) < (one.latencies_ms()[2] or 0)


# -- the figures


def test_the_price_counts_each_instance_from_the_moment_it_is_wanted() -> None:
    minutes = [SimulatedMinute([0.1], 0, desired=1, in_service=1)] * 30
    minutes += [SimulatedMinute([0.1], 0, desired=3, in_service=1)] * 30

    found = result(minutes, hour_usd=0.5)

    assert found.instance_hours == pytest.approx(2)
    assert found.usd == pytest.approx(1.0)
    assert found.month_usd == pytest.approx(730)


def test_the_percentiles_are_those_of_the_answered_calls() -> None:
    minutes = [SimulatedMinute([number / 1000 for number in range(1, 101)], 7, 1, 1)]

    assert result(minutes).latencies_ms() == pytest.approx([50, 95, 99])
    assert result([SimulatedMinute([], 3, 1, 1)]).latencies_ms() == [None, None, None]


def test_the_parts_cover_each_minute_once() -> None:
    minutes = [SimulatedMinute([], number, 1, 1) for number in range(25)]

    parts = result(minutes).parts(12)

    assert len(parts) <= 12
    assert [minute.refused for _, part in parts for minute in part.minutes] == list(range(25))


# -- what a load needs


def test_the_needs_are_those_of_the_rule_and_of_the_time() -> None:
    needs = Needs(2.0, rules(photo_s=0.025))

    assert (needs.by_rule, needs.by_time) == (5, 1)
    assert needs.most_rate == pytest.approx(120)
    assert "target_invocations_per_min=40" in " ".join(needs.sentences())


def test_the_settings_that_the_needs_name_are_enough() -> None:
    needs = Needs(200.0, rules(photo_s=0.025))
    (wanted,) = [text for text in needs.sentences() if "Set serving.scaling.max_instances=" in text]
    count = int(wanted.rpartition("=")[2].rstrip("."))

    fleet = rules(photo_s=0.025, initial=count, max_instances=count)
    found = result(simulate(constant(200, 1, seed=0), fleet, seed=0))

    assert (found.refused, found.late) == (0, 0)


def test_beyond_the_setting_s_range_the_design_ends() -> None:
    sentences = " ".join(Needs(100_000, rules()).sentences())

    assert "docs/scale.md" in sentences
    assert "Set serving" not in sentences


# -- loads


def test_a_rate_gives_as_many_calls_as_it_says() -> None:
    assert sum(constant(0.5, 600, seed=3).calls) == pytest.approx(0.5 * 60 * 600, rel=0.03)
    assert sum(constant(500, 60, seed=3).calls) == pytest.approx(500 * 60 * 60, rel=0.01)


def test_a_trace_of_minutes(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("minute,calls\n10,5\n11,0\n\n13,20\n13,1\n")

    assert trace(file).calls == [5, 0, 0, 21]


@pytest.mark.parametrize("zone", ["", "Z", "+05:30"])
def test_a_trace_of_times(tmp_path: Path, zone: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(f"2026-11-28T08:59:00{zone},5\n2026-11-28T09:01:30{zone},7\n")

    assert trace(file).calls == [5, 0, 7]


@pytest.mark.parametrize(
    "line", ["1", "1,2,3", "1,x", "x,1", "1,-1", "1,nan", "1,inf", "1,0.5", "1.5,1", "-1,5", "\u0661,5", "1,1e999"]
)
def test_a_line_that_is_no_minute_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(f"time,calls\n0,1\n{line}\n", encoding="utf-8")

    with pytest.raises(CapacityError, match=r"Line 3 of .*trace\.csv is .*Write a time"):
        trace(file)


def test_a_wrong_first_line_is_not_taken_for_the_names_of_the_columns(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("0:00,120\n")

    with pytest.raises(CapacityError, match=r"Line 1 of .*0:00,120"):
        trace(file)


@pytest.mark.parametrize("content", [b"", b"time,calls\n", b"\n\n"])
def test_an_empty_trace_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(content)

    with pytest.raises(CapacityError, match="has no line"):
        trace(file)


def test_a_trace_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(b"\xff\xfe\x00\x00")

    with pytest.raises(CapacityError, match="cannot be read"):
        trace(file)


def test_a_load_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CapacityError, match=f"At most {MOST_CALLS:,} calls"):
        constant(100_000, 60, seed=0)
    file = tmp_path / "trace.csv"
    file.write_text("0,1\n20000,1\n")
    with pytest.raises(CapacityError, match="minutes are simulated"):
        trace(file)


def test_the_canary_calls_too() -> None:
    load = Load([0, 0, 0, 0], "none")

    assert with_canary(load, 2).calls == [1, 0, 1, 0]
    assert with_canary(load, 0).calls == [0, 0, 0, 0]


def test_the_picture_can_be_drawn(tmp_path: Path) -> None:
    load = constant(3, 10, seed=0)

    draw(load, simulate(load, rules(), seed=0), tmp_path / "load.png", target=25)

    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")
