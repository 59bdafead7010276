"""Target tracking: which capacity follows from the points of the last minutes."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.autoscaling.tracking import Bounds, Cooldowns, Decision, TargetTracking, Watched, decide

POLICY = TargetTracking(target=25, scale_out_cooldown_s=30, scale_in_cooldown_s=60)
BOUNDS = Bounds(1, 3)
NONE = Cooldowns()


def look(
    points: list[float | None],
    *,
    capacity: int = 1,
    now: float = 0,
    bounds: Bounds = BOUNDS,
    policy: TargetTracking = POLICY,
    cooldowns: Cooldowns = NONE,
) -> Decision | None:
    return decide(now, capacity, bounds, {"only": Watched(policy, points)}, cooldowns)


def high(value: float) -> list[float | None]:
    return [value] * 3


def low(value: float) -> list[float | None]:
    return [value] * 15


def test_three_minutes_above_the_target_add_instances_in_proportion() -> None:
    assert look([60] * 2) is None
    decision = look([60] * 3)

    assert decision is not None
    assert (decision.out, decision.capacity) == (True, 3)  # 1 x 60 / 25 = 2.4


def test_the_newest_minute_is_the_one_that_counts() -> None:
    decision = look([70, 60, 40])

    assert decision is not None
    assert decision.capacity == 2


def test_fifteen_minutes_below_nine_tenths_remove_instances_in_proportion() -> None:
    assert look([5] * 14, capacity=3) is None
    assert look(low(22.5), capacity=3) is None
    decision = look(low(5), capacity=3)

    assert decision is not None
    assert (decision.out, decision.capacity) == (False, 1)


def test_the_busiest_of_the_fifteen_minutes_counts() -> None:
    decision = look([*[0.0] * 7, 14.0, *[0.0] * 7], capacity=3)

    assert decision is not None
    assert decision.capacity == 2  # 3 x 14 / 25 = 1.7


def test_a_fraction_of_an_instance_stays() -> None:
    assert look(low(22), capacity=3) == Decision("only", False, reason="AlreadyAtDesiredCapacity")  # 2.64
    decision = look(low(16), capacity=3)  # 1.92

    assert decision is not None
    assert decision.capacity == 2


def test_the_bounds_are_kept() -> None:
    assert look(high(1000), bounds=Bounds(1, 2)) == Decision("only", True, 2, measured_with=1, cooldown_s=30)
    assert look(high(1000), capacity=3) == Decision("only", True, reason="AlreadyAtMaxCapacity")
    assert look(low(0), capacity=3, bounds=Bounds(2, 3)) == Decision("only", False, 2, cooldown_s=60)
    assert look(low(0), capacity=1) == Decision("only", False, reason="AlreadyAtMinCapacity")


def test_bounds_that_change_while_it_runs_hold_from_the_next_look() -> None:
    assert look(high(60), capacity=3, bounds=Bounds(1, 6)) == Decision("only", True, 6, measured_with=3, cooldown_s=30)
    assert look(low(0), capacity=5, bounds=Bounds(2, 3)) == Decision("only", False, 2, cooldown_s=60)


def test_without_values_nothing_is_scaled() -> None:
    assert look([None] * 17, capacity=2) is None
    assert look([], capacity=2) is None
    assert look([5.0, *[None] * 13, 5.0], capacity=3) == Decision("only", False, 1, cooldown_s=60)
    assert look([5.0, 5.0, *[None] * 15], capacity=3) == Decision("only", False, 1, cooldown_s=60)


def test_a_scale_out_cooldown_blocks_until_its_end() -> None:
    cooling = Cooldowns(out_ends=100, before_out=1)

    assert look(high(60), capacity=2, now=99.9, bounds=Bounds(1, 2), cooldowns=cooling) == Decision(
        "only", True, reason="AlreadyAtMaxCapacity"
    )
    assert look(high(45), capacity=2, now=99.9, bounds=Bounds(1, 9), cooldowns=cooling) is None
    decision = look(high(45), capacity=2, now=100, bounds=Bounds(1, 9), cooldowns=cooling)

    assert decision is not None
    assert decision.capacity == 4  # 2 x 45 / 25 = 3.6


def test_a_larger_scale_out_is_not_blocked_and_includes_what_was_added() -> None:
    cooling = Cooldowns(out_ends=100, before_out=1)
    decision = look(high(70), capacity=2, now=50, bounds=Bounds(1, 9), cooldowns=cooling)

    assert decision is not None
    assert decision.capacity == 3  # 1 x 70 / 25, and not 2 x 70 / 25: the value was measured with one instance
    assert decision.completed(60, cooling) == Cooldowns(out_ends=90, before_out=1)


def test_a_scale_in_cooldown_blocks_until_its_end() -> None:
    cooling = Cooldowns(in_ends=100)

    assert look(low(0), capacity=3, now=99.9, cooldowns=cooling) is None
    assert look(low(0), capacity=3, now=100, cooldowns=cooling) is not None


def test_a_scale_out_is_not_blocked_by_a_scale_in_cooldown_and_ends_it() -> None:
    cooling = Cooldowns(in_ends=100)
    decision = look(high(60), capacity=1, now=50, cooldowns=cooling)

    assert decision is not None
    assert decision.completed(50, cooling).in_ends < 50


def test_a_cooldown_begins_when_the_activity_is_complete() -> None:
    decision = look(low(0), capacity=3, now=10)

    assert decision is not None
    assert decision.completed(500, Cooldowns(out_ends=7, before_out=1)) == Cooldowns(7, 1, in_ends=560)


def test_scale_in_can_be_disabled() -> None:
    assert look(low(0), capacity=3, policy=dataclasses.replace(POLICY, scale_in=False)) is None


def test_scaling_can_be_suspended() -> None:
    assert look(high(60), bounds=Bounds(1, 3, out_suspended=True)) is None
    assert look(low(0), capacity=3, bounds=Bounds(1, 3, in_suspended=True)) is None
    assert look(low(0), capacity=3, bounds=Bounds(1, 3, out_suspended=True)) is not None


def test_one_of_two_policies_is_enough_to_scale_out_and_the_largest_counts() -> None:
    policies = {
        "idle": Watched(POLICY, low(0)),
        "busy": Watched(POLICY, high(30)),
        "busier": Watched(POLICY, high(60)),
    }
    decision = decide(0, 1, BOUNDS, policies, NONE)

    assert decision is not None
    assert (decision.policy, decision.capacity) == ("busier", 3)
    del policies["busier"]
    decision = decide(0, 1, BOUNDS, policies, NONE)
    assert decision is not None
    assert (decision.policy, decision.capacity) == ("busy", 2)


def test_every_policy_that_scales_in_has_to_be_ready_and_the_largest_capacity_counts() -> None:
    out_only = dataclasses.replace(POLICY, scale_in=False)
    ready = {"a": Watched(POLICY, low(0)), "b": Watched(POLICY, low(14)), "out only": Watched(out_only, [20] * 15)}
    decision = decide(0, 3, BOUNDS, ready, NONE)

    assert decision is not None
    assert (decision.policy, decision.capacity) == ("b", 2)
    assert decide(0, 3, BOUNDS, {**ready, "b": Watched(POLICY, [*low(0)[1:], 23])}, NONE) is None


@given(
    st.lists(st.none() | st.floats(0, 200), max_size=20),
    st.integers(0, 8),
    st.integers(1, 4),
    st.integers(0, 4),
    st.floats(0, 200),
    st.builds(Cooldowns, st.floats(0, 200), st.integers(1, 4), st.floats(0, 200)),
)
def test_a_decision_moves_the_capacity_in_its_direction_and_into_the_bounds(
    points: list[float | None], capacity: int, least: int, more: int, now: float, cooldowns: Cooldowns
) -> None:
    decision = look(points, capacity=capacity, now=now, bounds=Bounds(least, least + more), cooldowns=cooldowns)

    if decision is None or decision.capacity is None:
        assert decision is None or decision.reason
    else:
        assert least <= decision.capacity <= least + more
        assert decision.capacity > capacity if decision.out else decision.capacity < capacity


@pytest.mark.parametrize("load", range(0, 200, 7))
def test_a_constant_load_is_followed_by_a_constant_capacity(load: int) -> None:
    points: list[float | None] = []
    changes: list[int] = []
    capacity, cooldowns = 1, Cooldowns()
    for minute in range(60):
        points.append(load / capacity)
        decision = look(points, capacity=capacity, now=60 * minute, bounds=Bounds(1, 10), cooldowns=cooldowns)
        if decision and decision.capacity is not None:
            capacity, cooldowns = decision.capacity, decision.completed(60 * minute, cooldowns)
            changes.append(minute)

    assert load / capacity <= POLICY.target
    assert len(changes) <= 1
