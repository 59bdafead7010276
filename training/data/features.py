"""The frozen backbone's features of every photo: computed once, shared by all processes, learnt from in seconds."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.models import ResNet

from contract.photos import SPLITS
from inference.photo.preprocessing import Preprocessing
from training.data.batches import CHUNK, Batch, global_batches, normalised, order, settle_skipped
from training.data.dataset import DataSet, Photo, cores, read_square
from training.data.threads import ahead, one_thread_each
from training.distributed import World
from training.log import emit
from training.model.backbone import FEATURES, folded_backbone
from training.optim import half_type

_VIEWS = 2
"""A training photo and its mirror image are two examples of the same breed."""

_AT_ONCE = 4096
"""Features that are judged together."""

_PROGRESS_EVERY_S = 1.0


class FeatureMaterial:
    """Features in memory: (photos, FEATURES) float32 on the device, the same in every process."""

    def __init__(
        self,
        data: DataSet,
        model: ResNet,
        *,
        preprocessing: Preprocessing,
        world: World,
        batch_size: int,
        seed: int,
        splits: Sequence[str] = SPLITS,
    ) -> None:
        self._world, self._seed = world, seed
        backbone = Backbone(model, preprocessing, world.device)
        self._features: dict[str, torch.Tensor] = {}
        self._targets: dict[str, torch.Tensor] = {}
        for split in splits:
            photos = data.splits[split]
            views = _VIEWS if split == "train" else 1
            rows = extract(data, split, backbone, world, views)
            gathered = world.gather_rows(rows, len(photos), block=backbone.chunk)
            usable = gathered[:, -1] > 0
            # (photos, views, FEATURES)
            self._features[split] = gathered[usable, :-1].reshape(-1, FEATURES)
            labels = torch.tensor([photo.label for photo in photos], device=world.device)[usable]
            self._targets[split] = labels.repeat_interleave(views)
        settle_skipped(data, world, all_read=tuple(splits) == SPLITS)
        self._batches = global_batches(len(self._targets["train"]), batch_size, world, least=1)

    def steps(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        for features, targets in self.whole_batches(number):
            own = slice(self._world.rank, None, self._world.size)
            yield Batch(features[own], targets[own], len(targets))

    def whole_batches(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The same without regard to other processes: (n, FEATURES) and (n,) class indices of each global batch."""
        features, targets = self._features["train"], self._targets["train"]
        indices = order(len(targets), self._seed, number).to(self._world.device)
        for batch in self._batches:
            yield features[indices[batch]], targets[indices[batch]]

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        own = slice(self._world.rank, None, self._world.size)
        features, targets = self._features[split][own], self._targets[split][own]
        yield from zip(torch.split(features, _AT_ONCE), torch.split(targets, _AT_ONCE), strict=True)


class Backbone:
    """The network without its head, for looking only: norm layers folded into the convolutions, in half precision where
    the device computes in it. The model itself is left as it is.

    chunk: photos that pass through it together. None is ever divided between processes: in half precision a photo's
    features depend, in their last bits, on what else is in its batch.
    """

    def __init__(self, model: ResNet, preprocessing: Preprocessing, device: torch.device) -> None:
        self.preprocessing, self.device, self.chunk = preprocessing, device, CHUNK[device.type]
        self._type = half_type(device) or torch.float32
        self._layers = folded_backbone(model).to(device, self._type).to(memory_format=torch.channels_last)

    def features(self, pixels: torch.Tensor, views: int = 1) -> torch.Tensor:
        """(n, views * FEATURES) float32 of uint8 (n, size, size, 3) on the device; the mirror image's come second."""
        with torch.inference_mode():
            inputs = normalised(pixels, self.preprocessing).to(self._type)
            maps = [self._layers(view) for view in (inputs, inputs.flip(3))[:views]]
            return torch.cat([each.float().mean((2, 3)) for each in maps], dim=1)


@dataclass(slots=True)
class _Seconds:
    """Of all threads together, for printing: two that add at the same moment may lose a chunk's share."""

    decode: float = 0.0
    forward: float = 0.0


def extract(data: DataSet, split: str, backbone: Backbone, world: World, views: int) -> torch.Tensor:
    """(own photos, views * FEATURES + 1) float32. The last column is 1 for a usable photo and 0 for a skipped one.

    On a CPU each core decodes chunks and passes them through the backbone by itself, which keeps it busy where threads
    that share one chunk wait for each other. Before a GPU the cores only decode, some chunks ahead of it.
    """
    photos = world.share(data.splits[split], block=backbone.chunk)
    on_cpu = backbone.device.type == "cpu"
    spent = _Seconds()

    def read(chunk: list[Photo]) -> tuple[torch.Tensor, list[bool]]:
        began = time.perf_counter()
        size = backbone.preprocessing.crop
        pixels = torch.zeros(len(chunk), size, size, 3, dtype=torch.uint8, pin_memory=not on_cpu)
        found = [read_square(data, photo, backbone.preprocessing) for photo in chunk]
        for row, square in zip(pixels.numpy(), found, strict=True):
            if square is not None:
                np.copyto(row, square)
        spent.decode += time.perf_counter() - began
        return pixels, [square is not None for square in found]

    def read_and_look(chunk: list[Photo]) -> tuple[torch.Tensor, list[bool]]:
        pixels, usable = read(chunk)
        began = time.perf_counter()
        features = backbone.features(pixels, views)
        spent.forward += time.perf_counter() - began
        return features, usable

    passes: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def look(pixels: torch.Tensor) -> torch.Tensor:
        # The GPU itself notes when it begins and ends: what is called here returns long before.
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        before.record()
        features = backbone.features(pixels.to(backbone.device, non_blocking=True), views)
        after.record()
        passes.append((before, after))
        return features

    rows = torch.zeros(len(photos), views * FEATURES + 1, device=backbone.device)
    flags: list[bool] = []
    chunks = [photos[i : i + backbone.chunk] for i in range(0, len(photos), backbone.chunk)]
    total, reported, began = len(data.splits[split]), time.monotonic(), time.monotonic()
    with one_thread_each() if on_cpu else contextlib.nullcontext():
        for found, usable in ahead(read_and_look if on_cpu else read, chunks, workers=cores()):
            start, stop = len(flags), len(flags) + len(usable)
            rows[start:stop, :-1] = found if on_cpu else look(found)
            flags += usable
            if world.is_first and time.monotonic() - reported > _PROGRESS_EVERY_S:
                reported = time.monotonic()
                emit(stage="features", split=split, done=min(stop * world.size, total), total=total)
    rows[:, -1] = torch.tensor(flags, dtype=torch.float32, device=backbone.device)
    if not on_cpu:
        torch.cuda.synchronize(backbone.device)
        spent.forward += sum(before.elapsed_time(after) for before, after in passes) / 1000
    if world.is_first:
        took = time.monotonic() - began
        share = took / ((spent.decode + spent.forward) or 1.0)  # of the wall time, since threads work side by side
        emit(
            stage="features",
            split=split,
            done=total,
            total=total,
            decode_s=spent.decode * share,
            forward_s=spent.forward * share,
        )
    return rows
