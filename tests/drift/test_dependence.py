"""Photos that follow each other and are alike count as fewer, and a change that lasts is no such photo."""

from typing import Any

import numpy as np
import pytest

from inference.artifact import Manifest
from inference.drift import distance
from inference.drift.comparison import compare
from inference.drift.dependence import alike_classes, alike_values, even_part, independent
from inference.drift.page import page
from inference.drift.reference import Photos, Reference
from inference.photo.preprocessing import Preprocessing

RNG = 7


def in_a_row(values: Any, times: int) -> Any:
    return np.repeat(values, times)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_breed_that_comes_several_times_in_a_row_counts_about_once(times: int) -> None:
    breeds = in_a_row(np.random.default_rng(RNG).integers(0, 133, 400 // times), times)
    assert independent(400, alike_classes(breeds)) == pytest.approx(400 / times, rel=0.15)


@pytest.mark.parametrize("times", [1, 5])
def test_numbers_that_are_alike_in_a_row_count_about_once(times: int) -> None:
    values = in_a_row(np.random.default_rng(RNG).random(400 // times), times)
    assert independent(400, alike_values(values)) == pytest.approx(400 / times, rel=0.25)


def test_a_change_that_lasts_is_no_burst() -> None:
    rng = np.random.default_rng(RNG)
    darker = np.concatenate([rng.random(500), rng.random(500) * 0.1])
    assert independent(1000, alike_values(darker)) > 700


@pytest.mark.parametrize("count", [1, 2, 30])
def test_photos_that_are_all_equal_are_counted_as_they_are(count: int) -> None:
    assert independent(count, alike_values(np.ones(count))) == count
    assert independent(count, alike_classes(np.ones(count, np.int64))) == count


def test_the_even_part_is_spread_over_the_time() -> None:
    assert even_part(np.arange(100), 4).tolist() == [0, 25, 50, 75]  # exact: places are whole numbers


def drawn(rng: np.random.Generator, dogs: int, *, times: int) -> Photos:
    """Photos of dogs of 133 breeds, so many of each dog in a row."""
    return Photos(
        confidence=in_a_row(rng.beta(8, 1, dogs), times),
        breed=in_a_row(rng.integers(0, 133, dogs), times),
        brightness=in_a_row(rng.normal(0.45, 0.1, dogs), times),
        shorter_side=np.full(dogs * times, 640),
    )


@pytest.mark.parametrize("times", [2, 5])
def test_several_photos_of_each_dog_are_no_drift(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "DIVISIONS", 399)
    manifest = Manifest(precision="fp32", preprocessing=Preprocessing(), files={})
    labels = tuple(f"breed {number}" for number in range(133))
    rng = np.random.default_rng(RNG)
    reference = Reference(manifest=manifest, labels=labels, photos=drawn(rng, 836, times=1))

    compared = compare(reference, drawn(rng, 100 // times, times=times))

    assert compared.verdict == "no drift"
    shown = compared.document()["figures"]
    worth = {name: figure["independent_photos"] for name, figure in shown.items()}
    assert worth["confidence"] < 80
    assert worth["breeds"] < 80
    assert worth["size"] == 100  # exact: a size that never differs says nothing of dependence
    for name, figure in shown.items():
        by_chance = f'up to {figure["by_chance"]:.2f}</td><td class="number">{worth[name]}</td>'
        assert by_chance in page(compared)


def test_one_breed_in_a_row_after_the_other_is_still_drift_if_they_are_other_breeds() -> None:
    """Half of the breeds do not come at all."""
    rng = np.random.default_rng(RNG)
    breeds = in_a_row(rng.integers(0, 5, 50), 2)
    part = even_part(breeds, independent(len(breeds), alike_classes(breeds)))
    test = rng.integers(0, 10, 836)
    found = distance.of_classes(test, breeds, level=0.0025).value
    assert found > distance.of_classes(test, part, level=0.0025).by_chance
