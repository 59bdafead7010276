"""The distances, and their noise: chance alone exceeds it as rarely as the level says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from inference.drift import distance
from inference.drift.distance import Distance, of_classes, of_values


def test_values_that_have_nothing_in_common_are_at_distance_one() -> None:
    found = of_values(np.linspace(0, 1, 50), np.linspace(2, 3, 40), level=0.01)
    assert found.value == pytest.approx(1)
    assert found.by_chance < 0.5


def test_the_same_values_are_at_distance_zero() -> None:
    values = np.array([0.1, 0.1, 0.5, 0.9])
    assert of_values(values, np.repeat(values, 3), level=0.01).value == pytest.approx(0, abs=1e-12)


def test_the_distance_is_the_largest_difference_of_the_distribution_functions() -> None:
    found = of_values(np.array([1.0, 2, 3, 4]), np.array([2.5, 3.5]), level=0.01)
    assert found.value == pytest.approx(0.5)  # at 2: half of the first, none of the second


def test_equal_values_are_one_step_of_the_distribution_function() -> None:
    found = of_values(np.ones(50), np.array([1.0, 1, 1, 0]), level=0.01)
    assert found.value == pytest.approx(0.25)


def test_the_distance_of_classes_is_the_share_that_would_have_to_change() -> None:
    found = of_classes(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]), level=0.01)
    assert found.value == pytest.approx(0.5)


def test_fewer_photos_have_more_noise() -> None:
    rng = np.random.default_rng(1)
    test = rng.random(300)
    noises = [of_values(test, rng.random(count), level=0.01).by_chance for count in (20, 100, 500)]
    assert noises == sorted(noises, reverse=True)
    # Smirnov's limit: 1.63 * sqrt(1/n + 1/m) for a level of 1 %
    assert noises[2] == pytest.approx(1.63 * np.sqrt(1 / 300 + 1 / 500), rel=0.1)


def test_the_same_samples_give_the_same_noise() -> None:
    values = np.random.default_rng(2).random((2, 40))
    assert of_values(*values, level=0.01) == of_values(*values, level=0.01)  # exact: the same computation twice


def _values(rng: np.random.Generator, count: int) -> Any:
    return rng.beta(8, 1, count)


def _tied(rng: np.random.Generator, count: int) -> Any:
    return np.minimum(rng.normal(1.5, 0.4, count), 1)


def _breeds(rng: np.random.Generator, count: int) -> Any:
    return rng.integers(0, 30, count)


@pytest.mark.parametrize(
    ("measure", "draw"), [(of_values, _values), (of_values, _tied), (of_classes, _breeds)], ids=["values", "ties", "30"]
)
@pytest.mark.parametrize(("test", "now"), [(120, 40), (40, 120)])
def test_chance_alone_exceeds_the_noise_as_rarely_as_the_level_says(
    measure: Callable[..., Distance],
    draw: Callable[[np.random.Generator, int], Any],
    test: int,
    now: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distance, "DIVISIONS", 199)
    rng, checks, level = np.random.default_rng(3), 200, 0.05
    found = [measure(draw(rng, test), draw(rng, now), level=level, seed=seed) for seed in range(checks)]
    exceeded = sum(each.value > each.by_chance for each in found)
    # of 200 checks 10 are expected, and 20 or more have a probability of 0.3 %. Ties make it conservative.
    assert 1 <= exceeded < 20
