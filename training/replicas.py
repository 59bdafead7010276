"""Copies of the network in several processes: gradients, norm-layer statistics, and the bytes sent for them."""

import contextlib
import os
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from training.distributed import World

_SENT = 8
"""Column of /proc/net/dev, after the name of the interface."""


def replicated(network: nn.Module, world: World) -> nn.Module:
    """The network, wrapped so that a backward pass gives every process the mean of all processes' gradients.

    Buffers are not broadcast: until they are averaged, each process's norm layers have statistics of its own photos.
    """
    if world.size == 1:
        return network
    world.barrier()  # fails if a process is gone; NCCL, which connects in the next lines, would wait without end
    with warnings.catch_warnings():
        # torch 2.14 renamed the option; every release in AWS's images accepts the old name
        warnings.filterwarnings("ignore", message=".*broadcast_buffers", category=FutureWarning)
        # Gradients are views of the buckets that are sent, so that no step copies them.
        return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)


def no_sync(network: nn.Module) -> contextlib.AbstractContextManager[None]:
    """A context in which a backward pass accumulates gradients locally; the next one outside of it sends the sum."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else contextlib.nullcontext()


def gather_buffers(network: nn.Module, world: World) -> torch.Tensor:
    """(size, values): the norm-layer statistics of every process, gathered in every process."""
    parts = [buffer.detach().flatten() for buffer in _statistics(network)]
    own = torch.cat(parts) if parts else torch.empty(0, device=world.device)
    return world.gather_rows(own.unsqueeze(0), world.size) if parts else own.expand(world.size, 0)


def average_buffers(network: nn.Module, rows: torch.Tensor) -> None:
    """Load the mean of all processes' statistics into the network."""
    restore_buffers(network, rows.mean(0, keepdim=True), rank=0)


def restore_buffers(network: nn.Module, rows: torch.Tensor, rank: int) -> None:
    """Load the statistics of one process into the network, or the mean if `rank` is not among the rows."""
    values = rows[rank] if rank < len(rows) else rows.mean(0)
    buffers = _statistics(network)
    parts = torch.split(values, [buffer.numel() for buffer in buffers]) if buffers else ()
    for buffer, part in zip(buffers, parts, strict=True):
        buffer.copy_(part.view_as(buffer))


def _statistics(network: nn.Module) -> list[torch.Tensor]:
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


def bytes_sent() -> int | None:
    """Bytes that this host has sent to the others since it started; None if no interface is reserved for that."""
    interface = os.environ.get("SM_NETWORK_INTERFACE_NAME", "lo")
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return None
    counters = {name.strip(): values.split() for name, _, values in (line.partition(":") for line in lines)}
    return int(counters[interface][_SENT]) if interface != "lo" and interface in counters else None
