"""The floating-point precision that a device trains in."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Precision:
    """A half precision that the device computes faster than float32, and the loss scaler that it requires."""

    autocast: Callable[[], AbstractContextManager[Any]]
    """Returns a new context, in which networks compute in half precision."""
    scaler: torch.amp.GradScaler


def half_type(device: torch.device) -> torch.dtype | None:
    """The half precision that the device computes in; None if it has none."""
    if device.type == "cuda":  # never bf16: the T4 of a g4dn has none, though PyTorch may report it
        return torch.float16
    cpu = torch.cpu.get_capabilities()
    return torch.bfloat16 if cpu.get("avx512_bf16") or cpu.get("amx_bf16") else None


def mixed_precision(device: torch.device) -> Precision:
    """For a whole network."""
    half = half_type(device)
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)  # bf16 has the exponent range of float32
    return Precision(lambda: torch.autocast(device.type, dtype=half, enabled=half is not None), scaler)


def full_precision() -> Precision:
    """For a head alone, which is too small to become faster in half precision."""
    return Precision(nullcontext, torch.amp.GradScaler("cpu", enabled=False))
