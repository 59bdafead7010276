"""How an epoch is divided into batches, and each batch among the processes.

The order of the examples depends on the seed and the epoch alone, and process r takes every size-th example of each
global batch. So the sum of the gradients does not depend on the number of processes.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataError, DataSet
from training.data.folders import by_suffix
from training.distributed import World
from training.log import emit

MICRO_BATCH = {"cpu": 8, "cuda": 64}
"""Photos in one forward pass, if no norm layer computes statistics over them. A CPU takes few, so that each layer finds
its input in the cache: 8 are faster than 32 (docs/decisions/0030)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's part of one global batch."""

    inputs: torch.Tensor
    """(own, width) features or (own, 3, size, size) normalised photos, on the process's device."""
    targets: torch.Tensor
    """(own,) class indices, on the process's device."""
    global_count: int
    """Examples in the batch over all processes."""


class Batches(Protocol):
    """The examples of a data set: to train on, and to evaluate on."""

    def steps(self) -> int:
        """Steps in an epoch, the same number in every process."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """This process's part of each training batch of an epoch, in the order given by the seed."""

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This process's part of a split, preprocessed as in serving; each example exactly once over all processes."""


def agree_on_skipped(data: DataSet, world: World, *, all_read: bool = True) -> None:
    """Merge the lists of skipped and truncated photos of all processes, and log them.

    all_read: whether every split has been read. If not, the photos are logged only if this raises.

    Raises DataError if a split, or the training photos of a breed, are all skipped.
    """
    data.skipped = world.gather_notes(data.skipped)
    data.truncated = world.gather_notes(data.truncated)
    try:
        data.check_usable()
    except DataError:
        _log_skipped(data, world)
        raise
    if all_read:
        _log_skipped(data, world)


def _log_skipped(data: DataSet, world: World) -> None:
    if world.is_first:
        for name, note in data.truncated.items():
            emit(truncated=name, note=note)
        for name, reason in data.skipped.items():
            emit(skipped=name, reason=reason)
        used = sum(len(data.used(split)) for split in data.splits)
        not_read = {"not_read": by_suffix(data.not_read)} if data.not_read else {}
        emit(stage="photos", skipped=len(data.skipped), used=used, **not_read)


def order(count: int, seed: int, epoch: int) -> torch.Tensor:
    """(count,) indices: the order of the examples in an epoch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)


def global_batches(count: int, batch_size: int, world: World, *, least: int) -> list[slice]:
    """Divide an epoch of `count` examples into batches whose sizes differ by at most one, and are at most `batch_size`.

    Raises DataError if a process would get fewer than `least` examples of a batch.
    """
    batches = max(1, -(-count // batch_size))
    if count // batches < least * world.size:
        raise DataError(
            f"{count} training examples in batches of at most {batch_size} are too few to give each of {world.size} "
            f"processes {least} of every batch; raise --batch-size, or add photos."
        )
    return [slice(count * i // batches, count * (i + 1) // batches) for i in range(batches)]


def normalised(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 (n, height, width, 3) to normalised float32 (n, 3, height, width) in channels-last memory."""
    mean, std = _scale(preprocessing, pixels.device)
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy without waiting: a GPU copies when its queue reaches the copy."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


@functools.cache
def _scale(preprocessing: Preprocessing, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(3,) mean and deviation of 0..255. Cached, because copying them to a GPU again would wait for its queue."""
    with torch.inference_mode(False):
        return torch.tensor(preprocessing.mean, device=device) * 255, torch.tensor(
            preprocessing.std, device=device
        ) * 255
