"""Balanced accuracy and macro F1, by hand from scikit-learn's definitions."""

import numpy as np
import pytest

from training.evaluation.per_breed import balanced_accuracy, macro_f1


def both(targets: list[int], predicted: list[int]) -> tuple[float, float]:
    return (
        balanced_accuracy(np.asarray(targets, np.int64), np.asarray(predicted, np.int64)),
        macro_f1(np.asarray(targets, np.int64), np.asarray(predicted, np.int64)),
    )


def test_all_correct_is_one() -> None:
    assert both([0, 1, 1, 2], [0, 1, 1, 2]) == pytest.approx((1.0, 1.0))


def test_predicting_the_frequent_breed_each_time_is_no_better_than_chance() -> None:
    """Accuracy 0.9. Recalls 1 and 0; F1 2*9/(9+10) and 0."""
    assert both([0] * 9 + [1], [0] * 10) == pytest.approx((0.5, (18 / 19 + 0) / 2))


def test_each_breed_counts_the_same() -> None:
    """Recalls 3/4, 1/1, 1/2. Classified as 0: 3, as 1: 3, as 2: 1; F1 6/7, 2/4, 2/3."""
    targets, predicted = [0, 0, 0, 0, 1, 2, 2], [0, 0, 0, 1, 1, 1, 2]
    assert both(targets, predicted) == pytest.approx(((3 / 4 + 1 + 1 / 2) / 3, (6 / 7 + 1 / 2 + 2 / 3) / 3))


def test_a_breed_without_photos_counts_only_in_f1_and_only_if_it_is_predicted() -> None:
    """Breed 1 has no photos. Recalls 1/2 and 1; F1 2/3, 0 and 1."""
    assert both([0, 0, 2], [0, 1, 2]) == pytest.approx(((1 / 2 + 1) / 2, (2 / 3 + 0 + 1) / 3))
    assert both([0, 0, 2], [0, 0, 2]) == pytest.approx((1.0, 1.0))


def test_a_breed_that_is_never_predicted_has_zero() -> None:
    """Recalls 1, 0 and 1; F1 1, 0 and 2*1/(1+2)."""
    assert both([0, 1, 2], [0, 2, 2]) == pytest.approx((2 / 3, (1 + 0 + 2 / 3) / 3))
