"""The photos themselves: decoded once, kept in memory, cut and mirrored anew in every epoch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from inference.classifier import usable_cores
from inference.images import Preprocessing
from training.data import SPLITS, DataSet, Square, read_squares, read_whole
from training.distributed import World
from training.material import Batch, global_batches, normalised, order, settle_skipped
from training.metrics import emit

_EVALUATION_BATCH = 64

SMALLEST_CUT = 0.35
"""Share of a photo's area. ImageNet's usual 0.08 often shows none of the dog."""

MARGIN = 1.25
"""Photos are kept this much larger than the network's resize: a cut of half of one is then not scaled up by much."""


class PhotoMaterial:
    """Training photos whole, in every process, since any may fall to it in some epoch; of the others only its share."""

    def __init__(
        self,
        data: DataSet,
        *,
        preprocessing: Preprocessing,
        world: World,
        batch_size: int,
        seed: int,
        workers: int | None,
    ) -> None:
        self._world, self._seed, self._preprocessing = world, seed, preprocessing
        self._workers = workers or usable_cores()
        if world.is_first:
            emit(stage="decode", total=sum(map(len, data.splits.values())))
        whole = read_whole(data, data.splits["train"], shorter_side=round(preprocessing.resize * MARGIN))
        judged = {}
        for split in SPLITS[1:]:
            photos = world.share(data.splits[split])
            judged[split] = list(zip(photos, read_squares(data, photos, preprocessing), strict=True))
        settle_skipped(data, world)  # also what only another host could not read: all must hold the same list
        used = [
            (pixels, photo.label)
            for photo, pixels in zip(data.splits["train"], whole, strict=True)
            if pixels is not None and data.name(photo) not in data.skipped
        ]
        self._photos = [pixels for pixels, _ in used]
        self._targets = torch.tensor([label for _, label in used])
        self._judged = {
            split: _stacked([(square, photo.label) for photo, square in found if square is not None], preprocessing)
            for split, found in judged.items()
        }
        # Two at least: norm layers need more than one value of each channel.
        self._batches = global_batches(len(used), batch_size, world, least=2)

    def steps(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        world = self._world
        indices = order(len(self._photos), self._seed, number)
        shares = [indices[batch][world.rank :: world.size] for batch in self._batches]
        with ThreadPoolExecutor(self._workers) as pool:
            # Each photo's cut is drawn from a seed of its own, so it depends neither on the thread nor on the process.
            def begin(own: torch.Tensor) -> Iterator[Square]:
                return pool.map(lambda i: self._cut(i, (self._seed, number, i)), own.tolist())

            coming = [begin(own) for own in shares[:1]]
            for step, (batch, own) in enumerate(zip(self._batches, shares, strict=True)):
                pixels = torch.from_numpy(np.stack(list(coming.pop())))
                coming = [begin(following) for following in shares[step + 1 : step + 2]]  # while this one is learnt
                inputs = normalised(pixels.to(world.device), self._preprocessing)
                yield Batch(inputs, self._targets[own].to(world.device), batch.stop - batch.start)

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        pixels, targets = self._judged[split]
        for start in range(0, len(targets), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            inputs = normalised(pixels[part].to(self._world.device), self._preprocessing)
            yield inputs, targets[part].to(self._world.device)

    def _cut(self, index: int, seed: tuple[int, int, int]) -> Square:
        return random_cut(self._photos[index], self._preprocessing.crop, np.random.default_rng(seed))


def random_cut(photo: Square, size: int, rng: np.random.Generator) -> Square:
    """A random part of the photo, scaled to (size, size, 3) and mirrored half of the time.

    Its area is SMALLEST_CUT to 1 of the photo's and its sides are as 3:4 to 4:3, as in torchvision's RandomResizedCrop.
    """
    height, width = photo.shape[:2]
    area = height * width * rng.uniform(SMALLEST_CUT, 1.0)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    cut_width, cut_height = min(width, np.sqrt(area * ratio)), min(height, np.sqrt(area / ratio))
    left, top = rng.uniform(0, width - cut_width), rng.uniform(0, height - cut_height)
    box = (left, top, left + cut_width, top + cut_height)
    cut = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)
    if rng.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(cut)


def _stacked(photos: Sequence[tuple[Square, int]], preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, crop, crop, 3) uint8 and (n,) class indices; n may be 0, where there are more processes than photos."""
    pixels = np.zeros((len(photos), preprocessing.crop, preprocessing.crop, 3), np.uint8)
    for row, (square, _) in zip(pixels, photos, strict=True):
        row[:] = square
    return torch.from_numpy(pixels), torch.tensor([label for _, label in photos], dtype=torch.int64)
