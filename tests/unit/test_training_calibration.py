"""Temperature scaling and the expected calibration error."""

import numpy as np
import pytest

from training.evaluation.calibration import (
    Logits,
    Targets,
    ece_by_chance,
    fit_temperature,
    mean_loss,
    reliability,
    softmax,
)


def calibrated(count: int, *, classes: int = 10, seed: int = 0) -> tuple[Logits, Targets]:
    """Logits, and targets drawn with the very probabilities that they stand for."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes)).astype(np.float32)
    targets = (softmax(logits).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return logits, targets


def test_calibrated_logits_keep_a_temperature_of_one() -> None:
    logits, targets = calibrated(20_000)
    assert fit_temperature(logits, targets) == pytest.approx(1, abs=0.03)
    assert reliability(softmax(logits), targets).ece < 0.01


@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_logits_that_are_too_large_or_too_small_are_corrected(factor: float) -> None:
    logits, targets = calibrated(20_000)
    wrong = logits * np.float32(factor)
    temperature = fit_temperature(wrong, targets)

    assert temperature == pytest.approx(factor, rel=0.03)
    before, after = (reliability(softmax(wrong / t), targets).ece for t in (1, temperature))
    assert before > 0.1
    assert after < 0.01


def test_the_temperature_is_where_the_targets_are_most_likely() -> None:
    logits, targets = calibrated(500, seed=3)
    logits *= 2

    def loss(temperature: float) -> float:
        count = len(targets)
        own = np.log(softmax(logits / temperature))
        spread = 1 / (count + 2)
        return -float((1 - spread) * own[np.arange(count), targets].mean() + spread * own.mean())

    best = fit_temperature(logits, targets)
    assert loss(best) <= min(loss(best * 0.98), loss(best * 1.02))


def test_a_network_without_errors_is_not_calibrated_to_certainty() -> None:
    """Maximum likelihood alone would lower the temperature without limit: 30 photos cannot show one error in 10 000."""
    targets = np.arange(30) % 3
    logits = np.eye(3, dtype=np.float32)[targets]
    confidence = softmax(logits / fit_temperature(logits, targets)).max(axis=1)
    assert 0.9 < confidence.min() <= confidence.max() < 0.99


def test_a_network_without_skill_gets_no_confidence() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 5, (2000, 4)).astype(np.float32), rng.integers(0, 4, 2000)
    assert softmax(logits / fit_temperature(logits, targets)).max(axis=1).mean() < 0.4


def test_the_error_by_chance_vanishes_with_many_predictions() -> None:
    found = {count: ece_by_chance(softmax(calibrated(count)[0])) for count in (50, 500, 20_000)}
    assert found[50] > 0.08 > found[500] > 0.02 > 0.01 > found[20_000]


def test_the_error_by_chance_is_that_of_true_probabilities() -> None:
    measured = [
        reliability(softmax(logits), targets).ece for logits, targets in (calibrated(300, seed=s) for s in range(60))
    ]
    assert ece_by_chance(softmax(calibrated(300)[0])) == pytest.approx(np.mean(measured), rel=0.1)


def test_the_loss_is_the_mean_of_minus_the_logarithms() -> None:
    probabilities = np.asarray([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert mean_loss(probabilities, np.asarray([0, 0, 0])) == pytest.approx((np.log(2) + np.log(4)) / 3)
    assert np.isfinite(mean_loss(probabilities, np.asarray([0, 0, 1])))


def test_the_error_of_a_case_worked_by_hand() -> None:
    """Six answers in three of the fifteen bins.

    0.60 < 0.62, 0.66 <= 0.667: mean confidence 0.64, one of two right   -> 2/6 x |0.5 - 0.64|
    0.867 < 0.88, 0.92 <= 0.933: mean confidence 0.90, both right        -> 2/6 x |1.0 - 0.90|
    0.933 < 0.95, 1.00 <= 1:     mean confidence 0.975, none right       -> 2/6 x |0.0 - 0.975|
    """
    confidence = np.asarray([0.62, 0.66, 0.88, 0.92, 0.95, 1.0])
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    found = reliability(probabilities, np.asarray([0, 1, 0, 0, 1, 1]))

    assert found.ece == pytest.approx((0.14 + 0.10 + 0.975) / 3)
    filled = [(each.count, each.confidence, each.accuracy) for each in found.bins if each.count]
    assert np.allclose(filled, [(2, 0.64, 0.5), (2, 0.90, 1.0), (2, 0.975, 0.0)])
    assert sum(each.count for each in found.bins) == 6
