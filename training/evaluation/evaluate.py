"""How good a network is on photos that it does not learn from."""

from dataclasses import dataclass

import torch
from torch import nn

from training.data.batches import Material
from training.distributed import World
from training.optim import Precision

SHARPNESS = torch.logspace(-4, 4, 65, base=2)
"""Factors of the logits among which the best is sought, in steps of 9 %: finer ones change no third digit."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Over all examples of a split, each counted once."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    calibrated_loss: float
    """What is left of the loss, by the measure that a temperature is fitted by (calibration.py), once one is. What is
    served has one, so epochs are compared by this: else one that is wrong more often could win by being less sure."""

    def figures(self) -> dict[str, float]:
        """Of `valid`, as the log and the manifest name them."""
        return {
            "valid_loss": self.loss,
            "valid_accuracy": self.accuracy,
            "valid_loss_calibrated": self.calibrated_loss,
        }


def evaluate(network: nn.Module, material: Material, split: str, world: World, precision: Precision) -> Judgement:
    """The same result in every process: each looks at its share, and the sums pass between them once."""
    network.eval()
    right = count = 0.0
    factors = SHARPNESS.to(world.device)
    lost, spread = torch.zeros(2, 1 + len(factors), dtype=torch.float64, device=world.device)
    with torch.inference_mode():
        for inputs, targets in material.examples(split):
            with precision.autocast():
                outputs = network(inputs).float()
            scaled = torch.cat([outputs.unsqueeze(0), outputs * factors[:, None, None]]).log_softmax(2)
            lost -= scaled[:, torch.arange(len(targets), device=world.device), targets].sum(1, dtype=torch.float64)
            spread -= scaled.mean(2).sum(1, dtype=torch.float64)
            right += (outputs.argmax(1) == targets).sum().item()
            count += len(targets)
    right, count, *sums = world.total(right, count, *lost.tolist(), *spread.tolist())
    plain, *losses = sums[: len(lost)]
    share = 1 / (count + 2)  # as calibration.py has it: n photos cannot show that a network errs less than once in n
    calibrated = min((1 - share) * own + share * all_ for own, all_ in zip(losses, sums[1 + len(lost) :], strict=True))
    return Judgement(loss=plain / count, accuracy=right / count, calibrated_loss=calibrated / count)
