"""The metrics by which epochs are compared."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from training.data.batches import Batches
from training.distributed import World
from training.evaluation.calibration import fit_temperature, mean_loss, softmax
from training.evaluation.evaluate import EvalResult, evaluate
from training.precision import full_precision

ALONE = World(0, 1, torch.device("cpu"))


class Logits:
    """Logits instead of photos, in batches of seven; the network returns its input."""

    def __init__(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        self._logits, self._targets = logits, targets

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        assert split == "valid"
        for start in range(0, len(self._targets), 7):
            yield self._logits[start : start + 7], self._targets[start : start + 7]


def evaluated(logits: torch.Tensor, targets: torch.Tensor) -> EvalResult:
    return evaluate(nn.Identity(), cast(Batches, Logits(logits, targets)), "valid", ALONE, full_precision())


@pytest.fixture
def predictions() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of a hundred photos of five classes; about four in five are correct."""
    generator = torch.Generator().manual_seed(5)
    targets = torch.randint(5, (100,), generator=generator)
    logits = torch.randn(100, 5, generator=generator)
    logits[torch.arange(100), targets] += 2.0
    return logits, targets


def test_loss_and_accuracy_are_means_over_all_examples(predictions: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = predictions
    found = evaluated(logits, targets)
    assert found.loss == pytest.approx(mean_loss(softmax(logits.numpy()), targets.numpy()), rel=1e-5)
    # exact: class indices are compared, and the logits are random numbers far apart
    assert found.accuracy == pytest.approx(float(np.mean(logits.argmax(1).numpy() == targets.numpy())))
    assert 0.6 < found.accuracy < 1.0


@pytest.mark.parametrize("scale", [0.2, 5.0])
def test_confidence_does_not_decide_between_epochs(
    predictions: tuple[torch.Tensor, torch.Tensor], scale: float
) -> None:
    """A temperature corrects it later, so scaled logits have the same calibrated loss."""
    logits, targets = predictions
    plain, scaled = evaluated(logits, targets), evaluated(logits * scale, targets)
    assert scaled.calibrated_loss == pytest.approx(plain.calibrated_loss, rel=2e-3)
    assert abs(scaled.loss - plain.loss) > 0.02


def test_the_calibrated_loss_is_the_loss_with_the_fitted_temperature(
    predictions: tuple[torch.Tensor, torch.Tensor],
) -> None:
    logits, targets = predictions[0].numpy() * 3, predictions[1].numpy()
    served = softmax(logits / fit_temperature(logits, targets))
    share = 1 / (len(targets) + 2)
    left = (1 - share) * mean_loss(served, targets) - share * float(np.log(served).mean())
    assert evaluated(torch.from_numpy(logits), predictions[1]).calibrated_loss == pytest.approx(left, rel=1e-3)


def test_of_two_networks_without_errors_the_one_with_the_larger_margin_is_better() -> None:
    targets = torch.arange(10) % 2
    sure = nn.functional.one_hot(targets, 2).float()
    doubtful = sure.clone()
    doubtful[0] *= 0.05  # correct by a small margin
    assert evaluated(sure, targets).calibrated_loss < evaluated(doubtful, targets).calibrated_loss


def test_an_epoch_with_more_errors_is_worse_although_it_is_less_confident(
    predictions: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """The plain loss would choose the second epoch."""
    logits, targets = predictions
    worse = logits.clone()
    worse[:10] = worse[:10].roll(1, dims=1)
    better, second = evaluated(logits * 12, targets), evaluated(worse, targets)
    assert better.accuracy > second.accuracy
    assert better.loss > second.loss
    assert better.calibrated_loss < second.calibrated_loss
