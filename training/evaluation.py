"""How good a network is on photos that it does not learn from."""

from dataclasses import dataclass

import torch
from torch import nn

from training.distributed import World
from training.material import Material
from training.optimiser import Precision

SHARPNESS = torch.logspace(-4, 4, 65, base=2)
"""Factors of the logits among which the best is sought, in steps of 9 %: finer ones change no third digit."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Over all examples of a split, each counted once."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    calibrated_loss: float
    """The same under the temperature that suits the split best. What is served has a temperature of its own, so epochs
    are compared by this: else one that label smoothing made modest would lose to one that is wrong more often."""

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
    losses = torch.zeros(1 + len(factors), dtype=torch.float64, device=world.device)
    with torch.inference_mode():
        for inputs, targets in material.examples(split):
            with precision.autocast():
                outputs = network(inputs).float()
            scaled = torch.cat([outputs.unsqueeze(0), outputs * factors[:, None, None]])
            lost = nn.functional.cross_entropy(
                scaled.flatten(0, 1), targets.repeat(len(scaled)), reduction="none"
            ).view(len(scaled), -1)
            losses += lost.sum(1, dtype=torch.float64)
            right += (outputs.argmax(1) == targets).sum().item()
            count += len(targets)
    right, count, *sums = world.total(right, count, *losses.tolist())
    return Judgement(loss=sums[0] / count, accuracy=right / count, calibrated_loss=min(sums[1:]) / count)
