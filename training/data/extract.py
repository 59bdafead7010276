"""Extract features: photos are decoded and passed through the frozen backbone, on all cores or on the GPU."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from inference.photo.preprocessing import Preprocessing
from training.data.batches import MICRO_BATCH, normalised, to_device
from training.data.cores import cores
from training.data.dataset import DataSet, Photo
from training.data.reading import read_square
from training.data.squares import read_squares
from training.data.threads import ahead, one_thread_each
from training.distributed import World
from training.log import emit
from training.model.backbone import Backbone
from training.model.network import folded
from training.precision import half_type

_PROGRESS_EVERY_S = 1.0


class FeatureExtractor:
    """A copy of the network without its head, for inference: norm layers are folded into the convolutions, and it
    computes in half precision if the device has one.

    micro_batch: photos in one forward pass. A micro-batch is never divided between processes, because in half precision
        the last bits of a photo's features depend on the other photos in its batch.
    """

    def __init__(
        self, model: nn.Module, backbone: Backbone, preprocessing: Preprocessing, device: torch.device
    ) -> None:
        self.preprocessing, self.device, self.width = preprocessing, device, backbone.width
        self.micro_batch = MICRO_BATCH[device.type]
        self._type = half_type(device) or torch.float32
        layers = folded(backbone.feature_layers(model)).to(device, self._type)
        self._layers = layers.to(memory_format=torch.channels_last)

    def features(self, pixels: torch.Tensor, views: int = 1) -> torch.Tensor:
        """uint8 (n, size, size, 3) pixels on the device to (n, views * width) float32.

        views: 2 appends the features of the mirror image.
        """
        with torch.inference_mode():
            inputs = normalised(pixels, self.preprocessing).to(self._type)
            return torch.cat([self._layers(view) for view in (inputs, inputs.flip(3))[:views]], dim=1)


@dataclass(slots=True)
class _Seconds:
    """Summed over all threads, for the log: two threads that add at the same moment may lose one of the additions."""

    decode: float = 0.0
    forward: float = 0.0


def extract(
    data: DataSet,
    split: str,
    extractor: FeatureExtractor,
    world: World,
    views: int,
    *,
    processes: bool | None = None,
) -> torch.Tensor:
    """(own photos, views * width + 1) float32. The last column is 1 for a usable photo and 0 for a skipped one.

    On a CPU each core decodes and passes micro-batches of its own, which keeps it busier than a micro-batch shared by
    all cores. With a GPU the cores only decode, a few photos each, some micro-batches ahead of the GPU.

    processes: with a GPU, whether processes decode; None is where there are enough photos.
    """
    photos = world.shard(data.splits[split], block=extractor.micro_batch)
    on_cpu = extractor.device.type == "cpu"
    spent = _Seconds()

    def read_and_pass(batch: list[Photo]) -> tuple[torch.Tensor, list[bool]]:
        began = time.perf_counter()
        size = extractor.preprocessing.crop
        pixels = torch.zeros(len(batch), size, size, 3, dtype=torch.uint8)
        found = [read_square(data, photo, extractor.preprocessing) for photo in batch]
        for row, square in zip(pixels.numpy(), found, strict=True):
            if square is not None:
                np.copyto(row, square)
        read = time.perf_counter()
        features = extractor.features(pixels, views)
        spent.decode += read - began
        spent.forward += time.perf_counter() - read
        return features, [square is not None for square in found]

    passes: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def pass_on_gpu(pixels: torch.Tensor) -> torch.Tensor:
        # The GPU records both times itself, because these calls return long before it has computed anything.
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        before.record()
        features = extractor.features(to_device(pixels, extractor.device), views)
        after.record()
        passes.append((before, after))
        return features

    def read_then_pass() -> Iterator[tuple[torch.Tensor, list[bool]]]:
        for pixels, usable, seconds in read_squares(
            data, batches, extractor.preprocessing, workers=cores(), processes=processes
        ):
            spent.decode += seconds
            yield pass_on_gpu(pixels), usable

    rows = torch.zeros(len(photos), views * extractor.width + 1, device=extractor.device)
    flags: list[bool] = []
    batches = [photos[i : i + extractor.micro_batch] for i in range(0, len(photos), extractor.micro_batch)]
    total, reported, began = len(data.splits[split]), time.monotonic(), time.monotonic()
    with one_thread_each() if on_cpu else contextlib.nullcontext():
        for found, usable in ahead(read_and_pass, batches, workers=cores()) if on_cpu else read_then_pass():
            start, stop = len(flags), len(flags) + len(usable)
            rows[start:stop, :-1] = found
            flags += usable
            if world.is_first and time.monotonic() - reported > _PROGRESS_EVERY_S:
                reported = time.monotonic()
                emit(stage="features", split=split, done=min(stop * world.size, total), total=total)
    rows[:, -1] = torch.tensor(flags, dtype=torch.float32, device=extractor.device)
    if not on_cpu:
        torch.cuda.synchronize(extractor.device)
        spent.forward += sum(before.elapsed_time(after) for before, after in passes) / 1000
    if world.is_first:
        took = time.monotonic() - began
        share = took / ((spent.decode + spent.forward) or 1.0)  # of the elapsed time, because threads run in parallel
        emit(
            stage="features",
            split=split,
            done=total,
            total=total,
            decode_s=spent.decode * share,
            forward_s=spent.forward * share,
        )
    return rows
