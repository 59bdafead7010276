"""By what figures epochs are compared."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from training.data.batches import Material
from training.distributed import World
from training.evaluation.calibration import fit_temperature, mean_loss, softmax
from training.evaluation.evaluate import Judgement, evaluate
from training.optim import full_precision

ALONE = World(0, 1, torch.device("cpu"))


class Answered:
    """Logits in place of photos, in batches of seven: the network passes them on."""

    def __init__(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        self._logits, self._targets = logits, targets

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        assert split == "valid"
        for start in range(0, len(self._targets), 7):
            yield self._logits[start : start + 7], self._targets[start : start + 7]


def judged(logits: torch.Tensor, targets: torch.Tensor) -> Judgement:
    return evaluate(nn.Identity(), cast(Material, Answered(logits, targets)), "valid", ALONE, full_precision())


@pytest.fixture
def answered() -> tuple[torch.Tensor, torch.Tensor]:
    """A hundred answers of five classes; about four in five are right."""
    generator = torch.Generator().manual_seed(5)
    targets = torch.randint(5, (100,), generator=generator)
    logits = torch.randn(100, 5, generator=generator)
    logits[torch.arange(100), targets] += 2.0
    return logits, targets


def test_loss_and_accuracy_are_means_over_all_examples(answered: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = answered
    found = judged(logits, targets)
    assert found.loss == pytest.approx(mean_loss(softmax(logits.numpy()), targets.numpy()), rel=1e-5)
    assert found.accuracy == pytest.approx(float(np.mean(logits.argmax(1).numpy() == targets.numpy())))
    assert 0.6 < found.accuracy < 1.0


@pytest.mark.parametrize("scale", [0.2, 5.0])
def test_how_sure_the_network_is_does_not_decide_between_epochs(
    answered: tuple[torch.Tensor, torch.Tensor], scale: float
) -> None:
    """What a temperature will mend is not held against it: scaled logits are judged as the logits are."""
    logits, targets = answered
    plain, scaled = judged(logits, targets), judged(logits * scale, targets)
    assert scaled.calibrated_loss == pytest.approx(plain.calibrated_loss, rel=2e-3)
    assert abs(scaled.loss - plain.loss) > 0.02


def test_the_calibrated_loss_is_what_the_temperature_that_is_fitted_in_the_end_leaves(
    answered: tuple[torch.Tensor, torch.Tensor],
) -> None:
    logits, targets = answered[0].numpy() * 3, answered[1].numpy()
    served = softmax(logits / fit_temperature(logits, targets))
    share = 1 / (len(targets) + 2)
    left = (1 - share) * mean_loss(served, targets) - share * float(np.log(served).mean())
    assert judged(torch.from_numpy(logits), answered[1]).calibrated_loss == pytest.approx(left, rel=1e-3)


def test_of_two_networks_that_are_always_right_the_one_with_the_wider_margin_is_better() -> None:
    targets = torch.arange(10) % 2
    sure = nn.functional.one_hot(targets, 2).float()
    doubtful = sure.clone()
    doubtful[0] *= 0.05  # right, by a hair
    assert judged(sure, targets).calibrated_loss < judged(doubtful, targets).calibrated_loss


def test_an_epoch_that_is_wrong_more_often_is_worse_though_it_is_less_sure(
    answered: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """The plain loss would choose the second."""
    logits, targets = answered
    worse = logits.clone()
    worse[:10] = worse[:10].roll(1, dims=1)
    better, second = judged(logits * 12, targets), judged(worse, targets)
    assert better.accuracy > second.accuracy
    assert better.loss > second.loss
    assert better.calibrated_loss < second.calibrated_loss
