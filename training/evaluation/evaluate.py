"""Evaluate a network on a split that it is not trained on."""

from dataclasses import dataclass

import torch
from torch import nn

from training.data.batches import Batches
from training.distributed import World
from training.precision import Precision

SHARPNESS = torch.logspace(-4, 4, 65, base=2)
"""Factors of the logits, among which the best is chosen. Steps smaller than these 9 % change no third digit."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """Means over all examples of a split, each counted once."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    calibrated_loss: float
    """The loss after temperature scaling, as fitted in calibration.py. The served model is scaled, so epochs are
    compared by this loss: by the plain one, an epoch with more errors could win by being less confident."""

    def metrics(self) -> dict[str, float]:
        """The result on `valid`, by the names in the log and the manifest."""
        return {
            "valid_loss": self.loss,
            "valid_accuracy": self.accuracy,
            "valid_loss_calibrated": self.calibrated_loss,
        }


def evaluate(network: nn.Module, batches: Batches, split: str, world: World, precision: Precision) -> EvalResult:
    """Evaluate this process's part of the split and sum over all processes: every process returns the same result."""
    network.eval()
    correct = count = 0.0
    factors = SHARPNESS.to(world.device)
    lost, spread = torch.zeros(2, 1 + len(factors), dtype=torch.float64, device=world.device)
    with torch.inference_mode():
        for inputs, targets in batches.examples(split):
            with precision.autocast():
                outputs = network(inputs).float()
            scaled = torch.cat([outputs.unsqueeze(0), outputs * factors[:, None, None]]).log_softmax(2)
            lost -= scaled[:, torch.arange(len(targets), device=world.device), targets].sum(1, dtype=torch.float64)
            spread -= scaled.mean(2).sum(1, dtype=torch.float64)
            correct += (outputs.argmax(1) == targets).sum().item()
            count += len(targets)
    correct, count, *sums = world.all_reduce(correct, count, *lost.tolist(), *spread.tolist())
    plain, *losses = sums[: len(lost)]
    share = 1 / (count + 2)  # Platt's correction, as in calibration.py
    calibrated = min((1 - share) * own + share * all_ for own, all_ in zip(losses, sums[1 + len(lost) :], strict=True))
    return EvalResult(loss=plain / count, accuracy=correct / count, calibrated_loss=calibrated / count)
