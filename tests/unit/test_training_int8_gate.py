"""int8 is served if it costs nothing, on any processor that may serve; noise alone neither accepts nor refuses it."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from training.evaluation.calibration import Logits, Targets
from training.export.int8_gate import (
    Comparison,
    Int8Check,
    allowed_changes,
    check_int8,
    compare,
    mean_and_error,
    refusal,
)

HARMLESS = Comparison(
    photos=200,
    fp32_accuracy=0.95,
    int8_accuracy=0.95,
    accuracy_drop=0.0,
    accuracy_drop_error=0.0,
    fp32_loss=0.2,
    int8_loss=0.2,
    loss_increase=0.0,
    loss_increase_error=0.0,
    agreement=1.0,
    confident_photos=150,
    confident_changes=0,
)


def why(**changed: float) -> str | None:
    return refusal(replace(HARMLESS, **changed), saturating=[])  # type: ignore[arg-type]  # counts are whole here


def any_model(*, breeds: int, count: int, sharpness: float = 1.0, seed: int = 0) -> tuple[Logits, Targets]:
    """Logits of a calibrated model, and targets drawn by its probabilities."""
    rng = np.random.default_rng(seed)
    logits = (sharpness * rng.normal(size=(count, breeds))).astype(np.float32)
    drawn = logits + rng.gumbel(size=logits.shape)  # the largest is drawn by softmax (the Gumbel-max trick)
    return logits, drawn.argmax(axis=1)


def disturbed(logits: Logits, by: float) -> Logits:
    return (logits + np.random.default_rng(9).normal(scale=by, size=logits.shape)).astype(np.float32)


def check(fp32: Logits, int8: Logits, targets: Targets, *saturating: str) -> Int8Check:
    return check_int8(fp32, int8, targets, saturating=saturating, calibration_photos=7)


def paired(lost: int, won: int, count: int) -> npt.NDArray[np.float64]:
    return np.array([1.0] * lost + [-1.0] * won + [0.0] * (count - lost - won))


def test_an_int8_model_with_the_same_logits_is_accepted() -> None:
    logits, targets = any_model(breeds=3, count=40)
    found = check(logits, logits, targets)
    assert found.keep_int8
    # exact: the logits are the same
    assert (found.accuracy_drop, found.loss_increase, found.agreement, found.confident_changes) == (0.0, 0.0, 1.0, 0)
    assert (found.photos, found.calibration_photos, found.saturating_layers) == (40, 7, 0)


def test_noise_that_costs_nothing_is_accepted_although_predictions_of_many_breeds_change() -> None:
    """As with 120 breeds: the models agree on 95 of 100 photos, and neither accuracy nor loss suffers."""
    logits, targets = any_model(breeds=120, count=480, sharpness=2.5)
    found = check(logits, disturbed(logits, 0.06), targets)
    assert found.agreement < 0.98  # which the gate demanded before
    assert found.keep_int8, found.reason


def test_noise_that_costs_loss_is_refused() -> None:
    """As with full-range weights and 120 breeds on a processor without VNNI: a fifth of the predictions change."""
    logits, targets = any_model(breeds=120, count=480, sharpness=2.5)
    found = check(logits, disturbed(logits, 0.6), targets)
    assert not found.keep_int8
    assert "the loss grows by" in found.reason


@pytest.mark.parametrize("by", [0.0, 9.0])
def test_layers_that_can_saturate_are_refused_whatever_is_measured(by: float) -> None:
    logits, targets = any_model(breeds=3, count=200)
    found = check(logits, disturbed(logits, by), targets, "conv1", "fc")
    assert not found.keep_int8
    assert found.saturating_layers == 2
    assert "2 layers (first conv1) could saturate on a processor without VNNI" in found.reason


def test_logits_that_are_not_numbers_are_refused() -> None:
    logits, targets = any_model(breeds=3, count=40)
    found = check(logits, np.full_like(logits, np.nan), targets)
    assert not found.keep_int8
    assert math.isfinite(found.loss_increase)  # the manifest is JSON, which has no NaN


def test_losses_are_compared_with_the_temperature_that_each_model_is_served_with() -> None:
    logits, targets = any_model(breeds=5, count=300)
    assert check(logits, 3 * logits, targets).loss_increase == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("photos", "accepted"), [(29, False), (30, True)])
def test_a_decision_needs_30_photos(photos: int, accepted: bool) -> None:
    assert (why(photos=photos) is None) is accepted


def test_one_photo_has_a_comparison_but_no_decision() -> None:
    logits, targets = any_model(breeds=3, count=1)
    found = check(logits, logits, targets)
    assert "valid has 1 photos" in found.reason
    assert math.isfinite(found.accuracy_drop_error)


@pytest.mark.parametrize(
    ("increase", "error", "accepted"),
    [
        (0.005, 0.007, True),  # 7-bit weights, 120 breeds
        (0.0499, 0.0, True),
        (0.0501, 0.0, False),
        (0.0, 0.0303, True),  # 1.645 standard errors are 0.0498
        (0.0, 0.0305, False),  # not shown to be harmless
        (-0.02, 0.04, True),
        (0.04, 0.01, False),
    ],
)
def test_the_loss_must_be_shown_to_grow_by_at_most_a_twentieth(increase: float, error: float, accepted: bool) -> None:
    reason = why(loss_increase=increase, loss_increase_error=error)
    assert (reason is None) is accepted
    assert reason is None or "the loss grows" in reason


@pytest.mark.parametrize(
    ("lost", "won", "count", "accepted"),
    [
        (1, 0, 200, True),
        (4, 0, 200, True),
        (5, 0, 200, False),
        (8, 0, 200, False),  # full-range weights without VNNI
        (9, 5, 200, True),  # the same drop as 4 lost and none won, with more noise
        (9, 0, 835, True),  # the size of valid/ in the course's data
        (10, 0, 835, False),
        (0, 40, 200, True),
        (1, 0, 40, True),
        (40, 0, 40, False),  # no noise at all
    ],
)
def test_accuracy_must_not_be_shown_to_fall_by_more_than_half_a_point(
    lost: int, won: int, count: int, accepted: bool
) -> None:
    drop, error = mean_and_error(paired(lost, won, count))
    reason = why(photos=count, accuracy_drop=drop, accuracy_drop_error=error)
    assert (reason is None) is accepted
    assert reason is None or "accuracy falls" in reason


@pytest.mark.parametrize(
    ("confident", "changes", "accepted"),
    [
        (0, 0, True),
        (10, 0, True),
        (10, 1, False),
        (30, 1, True),  # up to 1.20
        (150, 3, True),  # up to 3.50
        (150, 4, False),
        (700, 11, True),  # up to 11.33
        (700, 12, False),
    ],
)
def test_confident_predictions_may_change_for_one_in_a_hundred_and_what_is_chance(
    confident: int, changes: int, accepted: bool
) -> None:
    reason = why(confident_photos=confident, confident_changes=changes)
    assert (reason is None) is accepted
    assert reason is None or "of which fp32 is confident change" in reason


def test_a_change_counts_only_where_fp32_is_confident() -> None:
    """Half the photos are clear, half undecided between two breeds. int8 changes two clear ones and all undecided ones,
    and is correct on as many of those as float32."""
    clear, close = np.array([8, 0, 0], np.float32), np.array([0, 1.0, 0.99], np.float32)
    fp32 = np.array([clear] * 100 + [close] * 100, np.float32)
    targets = np.array([0] * 100 + [1, 2] * 50)
    int8 = fp32.copy()
    int8[100:] = close[[0, 2, 1]]
    int8[:2] = clear[[1, 0, 2]]
    found = compare(fp32, int8, targets)
    assert (found.confident_photos, found.confident_changes) == (100, 2)  # exact: counts
    assert found.agreement == pytest.approx(98 / 200)
    assert found.accuracy_drop == pytest.approx(0.01)


@pytest.mark.parametrize(("changed", "accepted"), [("undecided", True), ("confident", False)])
def test_one_change_in_twenty_is_harmless_only_where_fp32_is_undecided(changed: str, accepted: bool) -> None:
    """120 breeds. Of 240 photos float32 is confident, and between two breeds for the other 240; each is correct for
    half of those. int8 exchanges the two best breeds of 24 photos, so that the models agree on 95 of 100."""
    fp32 = np.zeros((480, 120), np.float32)
    fp32[:, 0] = 10
    fp32[:240, 1], fp32[240:, 1] = 1, 9.95
    targets = np.array([0] * 240 + [0, 1] * 120)
    int8, first = fp32.copy(), {"confident": 0, "undecided": 240}[changed]
    int8[first : first + 24, :2] = fp32[first : first + 24, 1::-1]

    found = check(fp32, int8, targets)
    assert found.agreement == pytest.approx(0.95)
    assert (found.confident_photos, found.confident_changes) == (240, 0 if accepted else 24)  # exact: counts
    assert found.keep_int8 is accepted, found.reason


def test_the_error_of_a_paired_accuracy_is_mcnemars() -> None:
    """With b photos lost and c won of n: sqrt(b + c - (b - c)^2 / n) / n, up to n against n - 1."""
    lost, won, count = 9, 5, 200
    drop, error = mean_and_error(paired(lost, won, count))
    expected = math.sqrt(lost + won - (lost - won) ** 2 / count) / count * math.sqrt(count / (count - 1))
    assert drop == pytest.approx((lost - won) / count)
    assert error == pytest.approx(expected)


@pytest.mark.parametrize("confident", [50, 200, 1000])
def test_chance_alone_exceeds_the_allowed_changes_in_about_one_of_twenty_data_sets(confident: int) -> None:
    changes = np.random.default_rng(3).binomial(confident, 0.01, size=20_000)
    assert 0.01 < (changes > allowed_changes(confident)).mean() < 0.1
