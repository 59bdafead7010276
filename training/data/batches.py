"""What an epoch is made of, for any number of processes: in what order, in which batches, and whose share of each.

The order depends on the seed and the epoch alone, and process r takes every size-th example of each global batch, so
the sum of the gradients does not depend on how many processes there are.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataError, DataSet
from training.distributed import World
from training.log import emit

CHUNK = {"cpu": 8, "cuda": 64}
"""Photos that pass through the network together where no norm layer looks at them together. On a CPU few, so that each
layer finds its inputs in the cache: 8 pass faster than 32 (docs/decisions/0030)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's share of one global batch."""

    inputs: torch.Tensor
    """(own, FEATURES) features or (own, 3, size, size) normalised photos, on the process's device."""
    targets: torch.Tensor
    """(own,) class indices, on the process's device."""
    global_count: int
    """Examples in the batch over all processes."""


class Material(Protocol):
    """Examples to learn from and to be judged by."""

    def steps(self) -> int:
        """Batches in an epoch, the same in every process."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The training batches of one epoch, in the order that the seed gives it."""

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """This process's share of a split as the serving container would see it, each example exactly once."""


def settle_skipped(data: DataSet, world: World, *, all_read: bool = True) -> None:
    """Agree with the other processes on the photos that cannot be used, and name them, and those that are cut off.

    all_read: no split is left to be read; else they are named only where the run ends here.

    Raises DataError where a split, or a breed to learn, has none left.
    """
    data.skipped = world.union(data.skipped)
    data.truncated = world.union(data.truncated)
    try:
        data.check_usable()
    except DataError:
        _name_skipped(data, world)
        raise
    if all_read:
        _name_skipped(data, world)


def _name_skipped(data: DataSet, world: World) -> None:
    if world.is_first:
        for name, note in data.truncated.items():
            emit(truncated=name, note=note)
        for name, reason in data.skipped.items():
            emit(skipped=name, reason=reason)
        emit(stage="photos", skipped=len(data.skipped), used=sum(len(data.used(split)) for split in data.splits))


def order(count: int, seed: int, epoch: int) -> torch.Tensor:
    """(count,) indices: the order of the examples in an epoch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)


def global_batches(count: int, batch_size: int, world: World, *, least: int) -> list[slice]:
    """An epoch of `count` examples in batches as even as can be, none above `batch_size`, and none left over.

    Raises DataError where a batch would give a process fewer than `least` examples.
    """
    batches = max(1, -(-count // batch_size))
    if count // batches < least * world.size:
        raise DataError(
            f"{count} training examples in batches of at most {batch_size} cannot give each of {world.size} processes "
            f"{least} at a time; raise --batch-size, or add photos."
        )
    return [slice(count * i // batches, count * (i + 1) // batches) for i in range(batches)]


def normalised(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 (n, height, width, 3) to normalised float32 (n, 3, height, width) in channels-last memory."""
    mean, std = _scale(preprocessing, pixels.device)
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)


@functools.cache
def _scale(preprocessing: Preprocessing, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(3,) mean and deviation of 0..255. Kept: bringing them to a GPU anew would wait for all that it has to do."""
    with torch.inference_mode(False):
        return torch.tensor(preprocessing.mean, device=device) * 255, torch.tensor(
            preprocessing.std, device=device
        ) * 255
