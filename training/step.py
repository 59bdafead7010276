"""One training step: forward, backward, and the update of the weights."""

from contextlib import nullcontext

import torch
from torch import nn

from training.data.batches import MICRO_BATCH, Batch
from training.distributed import World
from training.precision import Precision
from training.replicas import no_sync


def train_step(
    network: nn.Module,
    batch: Batch,
    *,
    loss: nn.CrossEntropyLoss,
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    world: World,
    micro_batch: int | None = None,
) -> torch.Tensor:
    """Update the weights once. Returns the sum of the losses of this process's examples, as a tensor on the device, so
    that the step does not wait for the device.

    loss: with reduction "sum".
    micro_batch: examples per forward pass; None passes the whole batch. The gradients are accumulated, so this changes
        the time only, unless a norm layer computes statistics over the batch.
    """
    size = micro_batch or max(1, len(batch.targets))
    parts = list(zip(torch.split(batch.inputs, size), torch.split(batch.targets, size), strict=True))
    total = torch.zeros((), device=batch.targets.device)
    for number, (inputs, targets) in enumerate(parts, start=1):
        with nullcontext() if number == len(parts) else no_sync(network):
            with precision.autocast():
                outputs = network(inputs)
            summed: torch.Tensor = loss(outputs.float(), targets)
            # DDP averages over the processes; this factor makes the average the mean over the global batch.
            torch.autograd.backward(precision.scaler.scale(summed * world.size / batch.global_count))
            total += summed.detach()
    precision.scaler.step(optimizer)
    precision.scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return total


def micro_batch_for(device: torch.device, *, fine_tuning: bool) -> int | None:
    """On a CPU fine-tuning takes few photos at a time, so that each layer finds its input in the cache."""
    return MICRO_BATCH[device.type] if fine_tuning and device.type == "cpu" else None
