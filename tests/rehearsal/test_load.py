"""The load of a rehearsal: its calls, its minutes, and its end."""

import itertools
import threading
from math import ceil
from pathlib import Path

import pytest

from ops.rehearse.errors import RehearsalError
from ops.rehearse.load import Fleet, Load, high_rate, low_rate
from ops.rehearse.plan import Plan
from ops.rehearse.scaling import goal
from rehearsal.cloud.clock import Clock
from stacks.settings.serving import ScalingSettings

SPEED = 1200
"""A minute takes 50 ms."""


class Endpoint:
    """A fleet that has three instances from the `out`-th call to the `back`-th. Each tenth call fails."""

    def __init__(self, out: float, back: float) -> None:
        self.out, self.back = out, back
        self.calls = itertools.count(1)
        self.made = 0
        self.notes: list[str] = []
        self.lock = threading.Lock()

    def call(self) -> bool:
        with self.lock:
            self.made = next(self.calls)
            if self.made % 20 == 0:
                raise ConnectionError
            return self.made % 10 != 0

    def fleet(self) -> Fleet:
        return Fleet(3, 3) if self.out <= self.made < self.back else Fleet(1, 1)

    def load(self) -> Load:
        return Load(
            self.call,
            self.fleet,
            target=5,
            clock=Clock(SPEED),
            report=lambda done, total, note: self.notes.append(note),  # noqa: ARG005
        )


def test_the_load_rises_until_the_fleet_has_grown_and_falls_until_it_has_shrunk() -> None:
    endpoint = Endpoint(out=30, back=100)

    run = endpoint.load().run(least=1, most=3)

    assert run.counts == [1, 3, 1]
    assert run.target == 5
    assert f"each took {60 / SPEED:g} s" in run.axis


def test_every_call_is_counted_once_as_answered_or_failed() -> None:
    endpoint = Endpoint(out=30, back=100)

    run = endpoint.load().run(least=1, most=3)

    assert sum(each.answered + each.failed for each in run.minutes) == endpoint.made
    assert sum(each.failed for each in run.minutes) == endpoint.made // 10
    assert len(endpoint.notes) == len(run.minutes)
    assert "failed" in endpoint.notes[0]


@pytest.mark.parametrize(("out", "back", "count"), [(float("inf"), float("inf"), 3), (30, float("inf"), 1)])
def test_a_fleet_that_does_not_follow_is_an_error_with_what_to_do(out: float, back: float, count: int) -> None:
    with pytest.raises(RehearsalError, match=f"instead of {count}.*target_invocations_per_min"):
        Endpoint(out, back).load().run(least=1, most=3)


@pytest.mark.parametrize("target", [2, 5, 10, 25, 1000])
@pytest.mark.parametrize("instances", [2, 3, 7])
def test_the_rates_need_one_instance_and_so_many(target: int, instances: int) -> None:
    assert 0 < low_rate(target) < 0.9 * target
    # exact: rounded up to a whole number of instances
    assert ceil(high_rate(target, instances) / target) == instances


@pytest.mark.parametrize(("least", "most", "reached"), [(1, 3, 3), (1, 2, 2), (2, 10, 4)])
def test_the_load_adds_at_most_two_instances(least: int, most: int, reached: int) -> None:
    assert goal(ScalingSettings(min_instances=least, max_instances=most)) == reached


def test_an_endpoint_that_cannot_scale_is_refused_before_it_is_deployed() -> None:
    with pytest.raises(RehearsalError, match=r"both 2.*Add -c serving.scaling.max_instances=4\."):
        goal(ScalingSettings(min_instances=2, max_instances=2))


def test_the_load_lowers_the_target_unless_the_operator_sets_it(tmp_path: Path) -> None:
    name = "serving.scaling.target_invocations_per_min"

    assert name not in Plan(folder=tmp_path).overrides()
    assert Plan(folder=tmp_path, load=True).overrides()[name] == "10"
    assert Plan(folder=tmp_path, load=True, settings=(f"{name}=25",)).overrides()[name] == "25"
