"""How the weights move: which learn how fast, how the rate runs over the steps, and in what precision."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from training.config import Config

BACKBONE_RATE = 0.1
"""Full mode from pretrained weights: the backbone learns at this share of the head's rate."""

WARM_UP = 0.15
"""Share of the steps over which the rate rises to its peak."""


def adamw(network: nn.Module, config: Config) -> torch.optim.AdamW:
    """AdamW without decay on biases and norm layers, and with a slower rate for a pretrained backbone."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        slow = config.mode == "full" and config.pretrained != "none" and not name.startswith("fc.")
        groups.setdefault((slow, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak": config.learning_rate * (BACKBONE_RATE if slow else 1.0),
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (slow, decays), parameters in groups.items()
        ],
        lr=config.learning_rate,
    )


def set_rate(optimizer: torch.optim.Optimizer, progress: float) -> None:
    """The rate at `progress` (0..1) of the run."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * one_cycle(progress)


def one_cycle(progress: float) -> float:
    """Share of the peak rate: a linear rise, then half a cosine down to 1 %."""
    if progress < WARM_UP:
        return 0.01 + 0.99 * progress / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


@dataclass(frozen=True, slots=True)
class Precision:
    """A half precision that the device computes faster, and the loss scaler that it calls for."""

    autocast: Callable[[], AbstractContextManager[Any]]
    """A new context each time: networks called within compute in half precision."""
    scaler: torch.amp.GradScaler


def mixed_precision(device: torch.device) -> Precision:
    """For the whole network."""
    if device.type == "cuda":  # never bf16: the T4 of a g4dn has none, though PyTorch may say that it does
        return Precision(lambda: torch.autocast("cuda", dtype=torch.float16), torch.amp.GradScaler("cuda"))
    cpu = torch.cpu.get_capabilities()
    native = bool(cpu.get("avx512_bf16") or cpu.get("amx_bf16"))
    return Precision(lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=native), _no_scaler())


def full_precision() -> Precision:
    """For a head alone, which is too small to gain from less."""
    return Precision(nullcontext, _no_scaler())


def _no_scaler() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", enabled=False)
