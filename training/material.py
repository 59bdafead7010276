"""What an epoch is made of: features of a frozen backbone, or augmented photos. Each process sees its share.

Both deal a batch out the same way: the order of an epoch depends on the seed and the epoch alone, and process r takes
every size-th example of each global batch. So the sum of the gradients does not depend on how many processes there are.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.models import ResNet
from torchvision.transforms import v2

from inference.images import Preprocessing
from training.data import SPLITS, DataSet, Photo, Square, read_squares, read_whole
from training.distributed import World
from training.metrics import emit
from training.model import FEATURES

_EXTRACTION_BATCH = 64
_EVALUATION_BATCH = 64
_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's share of one global batch."""

    inputs: torch.Tensor
    """(own, FEATURES) features or (own, 3, size, size) normalised photos."""
    targets: torch.Tensor
    """(own,) class indices."""
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


class FeatureMaterial:
    """The backbone's features of every photo, computed once; an epoch over them takes milliseconds."""

    def __init__(
        self,
        data: DataSet,
        model: ResNet,
        *,
        preprocessing: Preprocessing,
        world: World,
        autocast: AbstractContextManager[None],
        batch_size: int,
        seed: int,
    ) -> None:
        self._world, self._batch_size, self._seed = world, batch_size, seed
        backbone = nn.Sequential(*list(model.children())[:-1], nn.Flatten()).eval().to(world.device)
        backbone = backbone.to(memory_format=torch.channels_last)
        self._features: dict[str, torch.Tensor] = {}
        self._targets: dict[str, torch.Tensor] = {}
        for split in SPLITS:
            photos = data.splits[split]
            own = world.share(photos)
            views = 2 if split == "train" else 1
            with torch.inference_mode(), autocast:
                rows = _extract(data, own, backbone, preprocessing, world, split, views)
            gathered = world.gather_rows(rows.to(world.device), len(photos))
            usable = gathered[:, -1] > 0
            # (photos, views, FEATURES): a photo and its mirror image are two examples of the same breed.
            self._features[split] = gathered[usable, :-1].reshape(-1, FEATURES).clone()
            labels = torch.tensor([photo.label for photo in photos])[usable]
            self._targets[split] = labels.repeat_interleave(views)

    def steps(self) -> int:
        return len(_global_batches(len(self._targets["train"]), self._batch_size, self._world.size))

    def epoch(self, number: int) -> Iterator[Batch]:
        order = _order(len(self._targets["train"]), self._seed, number)
        features, targets = self._features["train"], self._targets["train"]
        for start, stop in _global_batches(len(order), self._batch_size, self._world.size):
            own = order[start:stop][self._world.rank :: self._world.size]
            yield Batch(features[own], targets[own], stop - start)

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        own = slice(self._world.rank, None, self._world.size)
        yield self._features[split][own], self._targets[split][own]


def _extract(
    data: DataSet,
    photos: list[Photo],
    backbone: nn.Module,
    preprocessing: Preprocessing,
    world: World,
    split: str,
    views: int,
) -> torch.Tensor:
    """(photos, views * FEATURES + 1) float32: of each photo the features of the serving view and, where `views` is 2,
    of its mirror image. The last column is 1 for a usable photo and 0 for a skipped one.
    """
    rows = torch.zeros(len(photos), views * FEATURES + 1)
    chunks = [range(i, min(i + _EXTRACTION_BATCH, len(photos))) for i in range(0, len(photos), _EXTRACTION_BATCH)]
    reported = time.monotonic()
    with ThreadPoolExecutor(1) as ahead:  # the next chunk is decoded while this one is on the device

        def squares(chunk: range) -> list[Square | None]:
            return read_squares(data, [photos[i] for i in chunk], preprocessing)

        coming = ahead.submit(squares, chunks[0]) if chunks else None
        for position, chunk in enumerate(chunks):
            assert coming is not None  # noqa: S101 - for mypy: there is a chunk, so one was submitted
            found = coming.result()
            if position + 1 < len(chunks):
                coming = ahead.submit(squares, chunks[position + 1])
            kept = [i for i, square in zip(chunk, found, strict=True) if square is not None]
            if kept:
                pixels = torch.from_numpy(np.stack([square for square in found if square is not None]))
                inputs = _normalised(pixels.to(world.device), preprocessing)
                features = [backbone(view).float().cpu() for view in (inputs, inputs.flip(3))[:views]]
                rows[kept] = torch.cat([*features, torch.ones(len(kept), 1)], dim=1)
            if world.is_first and (position + 1 == len(chunks) or time.monotonic() - reported > _PROGRESS_EVERY_S):
                reported = time.monotonic()
                emit(stage="features", split=split, done=chunk.stop, total=len(photos))
    return rows


class PhotoMaterial:
    """The photos themselves: decoded once, kept in memory, cut and mirrored anew in every epoch."""

    def __init__(
        self,
        data: DataSet,
        *,
        preprocessing: Preprocessing,
        world: World,
        batch_size: int,
        seed: int,
        workers: int,
    ) -> None:
        self._world, self._batch_size, self._seed, self._workers = world, batch_size, seed, workers
        self._preprocessing = preprocessing
        if world.is_first:
            emit(stage="decode", total=sum(map(len, data.splits.values())))
        # Every process may draw any training photo in some epoch, so it holds them all; of the others only its share.
        photos = data.splits["train"]
        # A quarter more than the network sees: a crop of half the photo is then still not scaled up by much.
        whole = read_whole(data, photos, shorter_side=round(preprocessing.resize * 1.25))
        kept = [(photo.label, pixels) for photo, pixels in zip(photos, whole, strict=True) if pixels is not None]
        self._train = _Augmented([pixels for _, pixels in kept], [label for label, _ in kept], preprocessing)
        self._judged: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for split in SPLITS[1:]:
            own = world.share(data.splits[split])
            found = list(zip(own, read_squares(data, own, preprocessing), strict=True))
            pixels = [square for _, square in found if square is not None]
            size = preprocessing.crop
            self._judged[split] = (
                torch.from_numpy(np.stack(pixels)) if pixels else torch.empty(0, size, size, 3, dtype=torch.uint8),
                torch.tensor([photo.label for photo, square in found if square is not None], dtype=torch.int64),
            )

    def steps(self) -> int:
        return len(_global_batches(len(self._train), self._batch_size, self._world.size))

    def epoch(self, number: int) -> Iterator[Batch]:
        order = _order(len(self._train), self._seed, number)
        batches = _global_batches(len(order), self._batch_size, self._world.size)
        own = [order[start:stop][self._world.rank :: self._world.size] for start, stop in batches]
        # Each example's cut is drawn from its own seed, so it depends neither on the worker nor on the process.
        keys = [[(int(i), hash((self._seed, number, int(i))) & 0x7FFFFFFF) for i in indices] for indices in own]
        loader = DataLoader(
            self._train, batch_sampler=keys, num_workers=self._workers, pin_memory=self._world.device.type == "cuda"
        )
        for (start, stop), (pixels, targets) in zip(batches, loader, strict=True):
            inputs = _normalised(pixels.to(self._world.device, non_blocking=True), self._preprocessing)
            yield Batch(inputs, targets, stop - start)

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        pixels, targets = self._judged[split]
        for start in range(0, len(targets), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            yield _normalised(pixels[part].to(self._world.device), self._preprocessing), targets[part]


class _Augmented(Dataset[tuple[torch.Tensor, int]]):
    """Whole photos in memory; an item is one random cut of one, named by (index, seed)."""

    def __init__(self, photos: list[Square], labels: list[int], preprocessing: Preprocessing) -> None:
        self._photos, self._labels = photos, labels
        self._cut = v2.Compose(
            [
                v2.RandomResizedCrop(preprocessing.crop, scale=(0.35, 1.0), antialias=True),
                v2.RandomHorizontalFlip(),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        index, seed = key
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            cut = self._cut(torch.from_numpy(self._photos[index]).permute(2, 0, 1))
        return cut.permute(1, 2, 0), self._labels[index]


def _normalised(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 (n, height, width, 3) to normalised float32 (n, 3, height, width) in channels-last memory."""
    mean = torch.tensor(preprocessing.mean, device=pixels.device) * 255
    std = torch.tensor(preprocessing.std, device=pixels.device) * 255
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)


def _order(count: int, seed: int, epoch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)


def _global_batches(count: int, batch_size: int, processes: int) -> list[tuple[int, int]]:
    """(start, stop) of each global batch. A tail too short to give every process an example is left out."""
    starts = range(0, count, batch_size)
    return [
        (start, min(start + batch_size, count))
        for start in starts
        if min(start + batch_size, count) - start >= processes
    ]
