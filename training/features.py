"""The frozen backbone's features of every photo: computed once, shared by all processes, learnt from in seconds."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn
from torchvision.models import ResNet

from inference.images import Preprocessing
from training.data import SPLITS, DataSet, Square, read_squares
from training.distributed import World
from training.material import Batch, global_batches, normalised, order, settle_skipped
from training.metrics import emit
from training.model import FEATURES
from training.optimiser import Precision

_CHUNK = 32
"""Photos that pass through the backbone together. A chunk is never divided between processes: in half precision a
photo's features depend, in their last bits, on what else is in its batch."""

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
        precision: Precision,
        batch_size: int,
        seed: int,
    ) -> None:
        self._world, self._seed = world, seed
        backbone = nn.Sequential(*list(model.children())[:-1], nn.Flatten()).eval().to(world.device)
        backbone = backbone.to(memory_format=torch.channels_last)
        self._features: dict[str, torch.Tensor] = {}
        self._targets: dict[str, torch.Tensor] = {}
        for split in SPLITS:
            photos = data.splits[split]
            views = 2 if split == "train" else 1
            with torch.inference_mode(), precision.autocast():
                rows = _extract(data, split, backbone, preprocessing, world, views)
            gathered = world.gather_rows(rows, len(photos), block=_CHUNK)
            usable = gathered[:, -1] > 0
            # (photos, views, FEATURES): a photo and its mirror image are two examples of the same breed.
            self._features[split] = gathered[usable, :-1].reshape(-1, FEATURES)
            labels = torch.tensor([photo.label for photo in photos], device=world.device)[usable]
            self._targets[split] = labels.repeat_interleave(views)
        settle_skipped(data, world)
        self._batches = global_batches(len(self._targets["train"]), batch_size, world, least=1)

    def steps(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        features, targets = self._features["train"], self._targets["train"]
        indices = order(len(targets), self._seed, number).to(self._world.device)
        for batch in self._batches:
            whole = indices[batch]
            own = whole[self._world.rank :: self._world.size]
            yield Batch(features[own], targets[own], len(whole))

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        own = slice(self._world.rank, None, self._world.size)
        yield self._features[split][own], self._targets[split][own]


def _extract(
    data: DataSet, split: str, backbone: nn.Module, preprocessing: Preprocessing, world: World, views: int
) -> torch.Tensor:
    """(own photos, views * FEATURES + 1) float32: of each photo the features of the serving view and, where `views` is
    2, of its mirror image. The last column is 1 for a usable photo and 0 for a skipped one.
    """
    total = len(data.splits[split])
    photos = world.share(data.splits[split], block=_CHUNK)
    chunks = [range(i, min(i + _CHUNK, len(photos))) for i in range(0, len(photos), _CHUNK)]
    rows = torch.zeros(len(photos), views * FEATURES + 1, device=world.device)
    reported = time.monotonic()
    with ThreadPoolExecutor(1) as ahead:  # the next chunk is decoded while this one is on the device

        def squares(chunk: range) -> list[Square | None]:
            return read_squares(data, [photos[i] for i in chunk], preprocessing)

        coming = [ahead.submit(squares, chunk) for chunk in chunks[:1]]
        for position, chunk in enumerate(chunks):
            found = coming.pop().result()
            coming = [ahead.submit(squares, following) for following in chunks[position + 1 : position + 2]]
            kept = [i for i, square in zip(chunk, found, strict=True) if square is not None]
            if kept:
                pixels = torch.from_numpy(np.stack([square for square in found if square is not None]))
                inputs = normalised(pixels.to(world.device), preprocessing)
                features = [backbone(view).float() for view in (inputs, inputs.flip(3))[:views]]
                rows[kept, :-1] = torch.cat(features, dim=1)
                rows[kept, -1] = 1.0
            if world.is_first and (position + 1 == len(chunks) or time.monotonic() - reported > _PROGRESS_EVERY_S):
                reported = time.monotonic()
                emit(stage="features", split=split, done=min(chunk.stop * world.size, total), total=total)
    return rows
