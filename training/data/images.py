"""The photos themselves: decoded once, kept in memory, cut and mirrored anew in every epoch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from contract.photos import SPLITS
from inference.photo.preprocessing import Preprocessing
from training.data.batches import CHUNK, Batch, global_batches, normalised, order, settle_skipped
from training.data.dataset import DataError, DataSet, Photo, Square, cores, read_square, read_whole
from training.data.threads import ahead
from training.distributed import World
from training.log import emit

SMALLEST_CUT = 0.35
"""Share of a photo's area. ImageNet's usual 0.08 often shows none of the dog."""

MARGIN = 1.25
"""Photos are kept this much larger than the network's resize: a cut of half of one is then not scaled up by much."""


class PhotoMaterial:
    """Training photos whole, in every process, since any may fall to it in some epoch; of the others only its share.

    As many training photos as fit into `memory` bytes stay decoded; the others are decoded again in every epoch.
    """

    def __init__(
        self,
        data: DataSet,
        *,
        preprocessing: Preprocessing,
        world: World,
        batch_size: int,
        seed: int,
        workers: int | None,
        memory: int,
    ) -> None:
        self._world, self._seed, self._preprocessing = world, seed, preprocessing
        self._workers = workers or cores()
        if world.is_first:
            emit(stage="decode", total=sum(map(len, data.splits.values())))
        self._whole = _Whole(data, shorter_side=round(preprocessing.resize * MARGIN), memory=memory)
        judged = {}
        for split in SPLITS[1:]:
            photos = world.share(data.splits[split])
            squares = ahead(lambda photo: read_square(data, photo, preprocessing), photos, workers=cores())
            judged[split] = list(zip(photos, squares, strict=True))
        settle_skipped(data, world)  # also what only another host could not read: all must hold the same list
        self._photos = data.used("train")
        self._targets = torch.tensor([photo.label for photo in self._photos])
        self._judged = {
            split: _stacked([(square, photo.label) for photo, square in found if square is not None], preprocessing)
            for split, found in judged.items()
        }
        if world.is_first:
            kept = len(self._whole)
            emit(stage="decoded", kept=kept, again_each_epoch=max(0, len(self._photos) - kept))
        # Two at least: norm layers need more than one value of each channel.
        self._batches = global_batches(len(self._photos), batch_size, world, least=2)

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
                inputs = normalised(to_device(pixels, world.device), self._preprocessing)
                yield Batch(inputs, to_device(self._targets[own], world.device), batch.stop - batch.start)

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        pixels, targets = self._judged[split]
        chunk = CHUNK[self._world.device.type]
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            inputs = normalised(to_device(pixels[part], self._world.device), self._preprocessing)
            yield inputs, to_device(targets[part], self._world.device)

    def _cut(self, index: int, seed: tuple[int, int, int]) -> Square:
        whole = self._whole.photo(self._photos[index])
        return random_cut(whole, self._preprocessing.crop, np.random.default_rng(seed))


class _Whole:
    """The training photos at `shorter_side`: all are decoded once, to know which can be, and the first ones kept."""

    def __init__(self, data: DataSet, *, shorter_side: int, memory: int) -> None:
        self._data, self._shorter_side = data, shorter_side
        self._kept: dict[Path, Square] = {}
        photos = data.splits["train"]
        for photo, pixels in zip(photos, ahead(self._read, photos, workers=cores()), strict=True):
            if pixels is not None and pixels.nbytes <= memory:
                self._kept[photo.path] = pixels
                memory -= pixels.nbytes

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def photo(self, photo: Photo) -> Square:
        """uint8 (height, width, 3). Raises DataError where it could be decoded before and cannot be any more."""
        pixels = self._kept.get(photo.path)
        if pixels is None:
            pixels = self._read(photo)
        if pixels is None:
            raise DataError(
                f"{self._data.name(photo)} could be decoded when the training began, and now it cannot; do not change "
                "the photos while they are learnt from."
            )
        return pixels

    def _read(self, photo: Photo) -> Square | None:
        return read_whole(self._data, photo, shorter_side=self._shorter_side)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Without waiting for a GPU: the copy begins when the GPU comes to it."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


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
