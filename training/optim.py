"""The optimiser: which parameters are trained at which rate and decay, and the schedule of the rate."""

import math
from collections.abc import Callable

import torch
from torch import nn

from contract.options import Recipe

WARM_UP = 0.15
"""Share of the steps over which the rate rises to its peak."""


def adamw(network: nn.Module, recipe: Recipe, rate_share: Callable[[str], float] | None = None) -> torch.optim.AdamW:
    """AdamW without weight decay on biases and normalisation layers.

    rate_share: the share of the learning rate of a parameter, by its name; None trains all parameters at the full rate.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        share = rate_share(name) if rate_share else 1.0
        groups.setdefault((share, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak": recipe.learning_rate * share,
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for (share, decays), parameters in groups.items()
        ],
        lr=recipe.learning_rate,
        fused=True,  # one pass over the weights instead of a dozen
    )


def set_rate(optimizer: torch.optim.Optimizer, progress: float) -> None:
    """Set the rate for the step at `progress` (0..1) of the run."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * one_cycle(progress)


def one_cycle(progress: float) -> float:
    """Share of the peak rate: a linear rise, then half a cosine down to 1 %."""
    if progress < WARM_UP:
        return 0.01 + 0.99 * progress / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2
