"""The shares of a split are exact, and an added photo moves few of the others."""

import hashlib
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.photos import SPLITS
from ops.data.split.assignment import Unit, assign
from ops.data.split.errors import SplitError
from ops.data.split.shares import parse


def units(count: int, *, breed: str = "Pug", size: int = 1) -> list[Unit]:
    """Units of photos with content of their own."""
    return [
        Unit(
            checksums=[hashlib.sha256(f"{breed}/{number}/{photo}".encode()).hexdigest() for photo in range(size)],
            breeds=Counter({breed: size}),
        )
        for number in range(count)
    ]


def counted(found: list[Unit], **options: int) -> dict[str, int]:
    splits = assign(found, parse("80/10/10"), seed=options.get("seed", 0))
    return {split: sum(found[index].size for index in splits if splits[index] == split) for split in SPLITS}


@pytest.mark.parametrize(
    ("photos", "train", "valid", "test"),
    [(1, 1, 0, 0), (2, 1, 0, 1), (3, 1, 1, 1), (4, 2, 1, 1), (9, 7, 1, 1), (15, 12, 1, 2), (100, 80, 10, 10)],
)
def test_each_split_gets_its_share_and_one_photo_where_it_can(photos: int, train: int, valid: int, test: int) -> None:
    assert counted(units(photos)) == {"train": train, "valid": valid, "test": test}


@given(
    photos=st.integers(3, 5000),
    shares=st.tuples(*[st.integers(1, 999)] * 3),
)
def test_no_share_is_off_by_a_photo_unless_a_split_would_be_empty(photos: int, shares: tuple[int, int, int]) -> None:
    quotas = parse("/".join(map(str, shares))).quotas(photos)

    assert sum(quotas.values()) == photos
    assert min(quotas.values()) >= 1
    exact = {split: Fraction(photos * share, sum(shares)) for split, share in zip(SPLITS, shares, strict=True)}
    if min(exact.values()) >= 1:
        assert all(abs(quotas[split] - exact[split]) < 1 for split in SPLITS)


def test_only_the_ratio_of_the_shares_counts() -> None:
    # exact: fractions, not floats
    assert parse("0.8/0.1/0.1").quotas(77) == parse("8/1/1").quotas(77) == parse("80/10/10").quotas(77)


@pytest.mark.parametrize("text", ["80/20", "80/10/0", "80/10/-10", "a/b/c", "1e9/1/1", "", "80/10/10/10"])
def test_impossible_shares_are_refused(text: str) -> None:
    with pytest.raises(SplitError, match="three numbers above 0"):
        parse(text)


def test_added_photos_move_few_of_the_others() -> None:
    shares, before = parse("80/10/10"), units(1000)
    after = [*units(100, breed="new"), *before]
    after = [Unit(checksums=unit.checksums, breeds=Counter({"Pug": 1})) for unit in after]
    old, new = assign(before, shares, seed=0), assign(after, shares, seed=0)

    moved = sum(old[index] != new[index + 100] for index in range(1000))
    assert 0 < moved <= 20  # a new draw would move about 340


def test_the_order_of_the_photos_does_not_matter_and_the_seed_does() -> None:
    shares, found = parse("80/10/10"), units(50)
    forwards, backwards = assign(found, shares, seed=3), assign(found[::-1], shares, seed=3)

    assert [forwards[index] for index in range(50)] == [backwards[49 - index] for index in range(50)]
    assert forwards != assign(found, shares, seed=4)


def test_breeds_are_divided_one_by_one() -> None:
    found = [*units(30, breed="Pug"), *units(10, breed="Beagle")]
    splits = assign(found, parse("80/10/10"), seed=1)

    assert Counter(splits[index] for index in range(30)) == {"train": 24, "valid": 3, "test": 3}
    assert Counter(splits[index] for index in range(30, 40)) == {"train": 8, "valid": 1, "test": 1}


def test_groups_larger_than_a_share_still_leave_each_split_one() -> None:
    assert counted(units(3, size=6)) == {"train": 6, "valid": 6, "test": 6}
    assert counted(units(2, size=6)) == {"train": 6, "valid": 0, "test": 6}
    assert counted(units(1, size=6)) == {"train": 6, "valid": 0, "test": 0}


def test_photos_fill_the_share_that_a_large_group_would_exceed() -> None:
    assert counted([*units(1, size=18), *units(82, breed="Pug")]) == {"train": 80, "valid": 10, "test": 10}


@pytest.mark.parametrize("seed", range(5))
def test_a_unit_for_training_only_is_in_train(seed: int) -> None:
    found = units(20)
    only = [Unit(checksums=unit.checksums, breeds=unit.breeds, only_train=True) for unit in found[:8]]
    splits = assign([*only, *found[8:]], parse("40/30/30"), seed=seed)

    assert {splits[index] for index in range(8)} == {"train"}
    assert Counter(splits.values()) == {"train": 8, "valid": 6, "test": 6}


@pytest.mark.parametrize("seed", range(20))
def test_a_breed_whose_photos_are_all_in_groups_of_another_has_training_photos(seed: int) -> None:
    shared = Unit(checksums=["0" * 64, "1" * 64, "2" * 64], breeds=Counter({"Pug": 2, "Beagle": 1}))
    found = [*units(4, size=3), shared]
    splits = assign(found, parse("34/33/33"), seed=seed)

    assert splits[4] == "train"


def test_a_missing_split_is_taken_from_train_in_the_ratio_of_both() -> None:
    splits = assign(units(90), parse("80/10/10"), seed=0, splits=("train", "valid"))
    assert Counter(splits.values()) == {"train": 80, "valid": 10}
