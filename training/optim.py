"""How the weights move: which learn how fast, how the rate runs over the steps, and in what precision."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from training import distributed
from training.config import Config
from training.data.batches import CHUNK, Batch
from training.distributed import World

BACKBONE_RATES = {"layer4": 0.1, "layer3": 0.05, "layer2": 0.025, "layer1": 0.0125, "": 0.0125}
"""Full mode from pretrained weights: each stage learns at this share of the head's rate, the early ones, whose edges
and textures any photo needs, the slowest. The last entry is the stem."""

WARM_UP = 0.15
"""Share of the steps over which the rate rises to its peak."""


def adamw(network: nn.Module, config: Config) -> torch.optim.AdamW:
    """AdamW without decay on biases and norm layers, and with slower rates for a pretrained backbone."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((_share_of_rate(name, config), parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "peak": config.recipe.learning_rate * share,
                "weight_decay": config.recipe.weight_decay if decays else 0.0,
            }
            for (share, decays), parameters in groups.items()
        ],
        lr=config.recipe.learning_rate,
        fused=True,  # one pass over the weights in place of a dozen
    )


def _share_of_rate(name: str, config: Config) -> float:
    if config.mode == "frozen" or not config.starts_pretrained or name.startswith("fc."):
        return 1.0
    return next(share for stage, share in BACKBONE_RATES.items() if name.startswith(stage))


def set_rate(optimizer: torch.optim.Optimizer, progress: float) -> None:
    """The rate at `progress` (0..1) of the run."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * one_cycle(progress)


def one_cycle(progress: float) -> float:
    """Share of the peak rate: a linear rise, then half a cosine down to 1 %."""
    if progress < WARM_UP:
        return 0.01 + 0.99 * progress / WARM_UP
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


def learn(
    network: nn.Module,
    batch: Batch,
    *,
    loss_of: nn.CrossEntropyLoss,
    optimizer: torch.optim.Optimizer,
    precision: "Precision",
    world: World,
    chunk: int | None = None,
) -> torch.Tensor:
    """One step. Returns the sum of the losses of this process's examples, on the device: nothing waits for it.

    chunk: how many examples pass through the network together, all if None. Their gradients are summed, so it changes
    the time alone; but for a network whose norm layers take the statistics of what passes together.
    """
    size = chunk or max(1, len(batch.targets))
    parts = list(zip(torch.split(batch.inputs, size), torch.split(batch.targets, size), strict=True))
    total = torch.zeros((), device=batch.targets.device)
    for number, (inputs, targets) in enumerate(parts, start=1):
        with nullcontext() if number == len(parts) else distributed.unsent(network):
            with precision.autocast():
                outputs = network(inputs)
            loss: torch.Tensor = loss_of(outputs.float(), targets)
            # DDP averages over the processes; this makes the average the mean over the global batch.
            torch.autograd.backward(precision.scaler.scale(loss * world.size / batch.global_count))
            total += loss.detach()
    precision.scaler.step(optimizer)
    precision.scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return total


def chunk_of(config: Config, device: torch.device) -> int | None:
    """On a CPU fine-tuning takes few photos at a time, so that layers find their inputs in the cache."""
    few = config.mode == "full" and config.starts_pretrained and device.type == "cpu"
    return CHUNK[device.type] if few else None


@dataclass(frozen=True, slots=True)
class Precision:
    """A half precision that the device computes faster, and the loss scaler that it calls for."""

    autocast: Callable[[], AbstractContextManager[Any]]
    """A new context each time: networks called within compute in half precision."""
    scaler: torch.amp.GradScaler


def half_type(device: torch.device) -> torch.dtype | None:
    """The half precision that the device computes in; None where it has none."""
    if device.type == "cuda":  # never bf16: the T4 of a g4dn has none, though PyTorch may say that it does
        return torch.float16
    cpu = torch.cpu.get_capabilities()
    return torch.bfloat16 if cpu.get("avx512_bf16") or cpu.get("amx_bf16") else None


def mixed_precision(device: torch.device) -> Precision:
    """For the whole network."""
    half = half_type(device)
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)  # bf16 has the exponents of fp32
    return Precision(lambda: torch.autocast(device.type, dtype=half, enabled=half is not None), scaler)


def full_precision() -> Precision:
    """For a head alone, which is too small to gain from less."""
    return Precision(nullcontext, torch.amp.GradScaler("cpu", enabled=False))
