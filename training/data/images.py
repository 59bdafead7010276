"""Batches of photos: decoded once, kept in memory, cropped and mirrored at random in every epoch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from contract.photos import SPLITS
from inference.photo.preprocessing import Preprocessing
from training.data.batches import MICRO_BATCH, Batch, agree_on_skipped, global_batches, normalised, order, to_device
from training.data.cores import cores
from training.data.dataset import DataError, DataSet, Photo
from training.data.filling import Filler
from training.data.reading import Square, read_square, read_whole
from training.data.threads import ahead
from training.distributed import World
from training.log import emit

SMALLEST_CROP = 0.35
"""Share of a photo's area. With 0.08, usual for ImageNet, many crops show no part of the dog."""

MARGIN = 1.25
"""Photos are kept this much larger than the preprocessing's resize, so that small crops are hardly scaled up."""


class ImageBatches:
    """Photos. Every process holds all training photos, because it gets others in every epoch, and its part of the rest.

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
        processes: bool | None = None,
    ) -> None:
        """workers: threads that crop photos, or processes; None is one per core.

        memory: bytes of decoded training photos to keep.
        processes: whether processes crop photos; None is with a GPU.
        """
        self._world, self._seed, self._preprocessing = world, seed, preprocessing
        if world.is_first:
            emit(stage="decode", total=sum(map(len, data.splits.values())))
        self._whole = _Whole(data, shorter_side=round(preprocessing.resize * MARGIN), memory=memory)
        found = {}
        for split in SPLITS[1:]:
            photos = world.shard(data.splits[split])
            squares = ahead(lambda photo: read_square(data, photo, preprocessing), photos, workers=cores())
            found[split] = list(zip(photos, squares, strict=True))
        agree_on_skipped(data, world)  # includes photos that only another host could not read
        self._photos = data.used("train")
        self._targets = torch.tensor([photo.label for photo in self._photos])
        self._evaluated = {
            split: _stacked([(square, photo.label) for photo, square in pairs if square is not None], preprocessing)
            for split, pairs in found.items()
        }
        if world.is_first:
            kept = len(self._whole)
            emit(stage="decoded", kept=kept, again_each_epoch=max(0, len(self._photos) - kept))
        # At least two: norm layers need more than one value per channel.
        self._batches = global_batches(len(self._photos), batch_size, world, least=2)
        self._filler: Filler[tuple[int, int], None] = Filler(
            self._crop,
            batch_size=-(-max(batch.stop - batch.start for batch in self._batches) // world.size),
            size=preprocessing.crop,
            workers=workers or cores(),
            processes=world.device.type == "cuda" if processes is None else processes,
        )

    def steps(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        world = self._world
        indices = order(len(self._photos), self._seed, number)
        shares = [indices[batch][world.rank :: world.size] for batch in self._batches]
        for pixels, batch, own in zip(self.crops(number, shares), self._batches, shares, strict=True):
            inputs = normalised(to_device(pixels, world.device), self._preprocessing)
            yield Batch(inputs, to_device(self._targets[own], world.device), batch.stop - batch.start)

    def crops(self, number: int, shares: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """For each tensor of indices (photos, crop, crop, 3) uint8, which is overwritten when the next is asked for."""
        for pixels, _ in self._filler.batches([(number, index) for index in own.tolist()] for own in shares):
            yield pixels

    def close(self) -> None:
        """End the threads or processes that read photos."""
        self._filler.close()

    def examples(self, split: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        pixels, targets = self._evaluated[split]
        size = MICRO_BATCH[self._world.device.type]
        for start in range(0, len(targets), size):
            part = slice(start, start + size)
            inputs = normalised(to_device(pixels[part], self._world.device), self._preprocessing)
            yield inputs, to_device(targets[part], self._world.device)

    def _crop(self, item: tuple[int, int], place: Square) -> None:
        """Write a crop of a photo to its place. item: the epoch, and the photo's index."""
        number, index = item
        # Each photo's crop has its own seed, so it depends neither on the thread nor on the process.
        rng = np.random.default_rng((self._seed, number, index))
        place[:] = random_crop(self._whole.photo(self._photos[index]), self._preprocessing.crop, rng)


class _Whole:
    """The training photos at `shorter_side`. All are decoded once, to find the broken ones; the first ones are kept."""

    def __init__(self, data: DataSet, *, shorter_side: int, memory: int) -> None:
        self._data, self._shorter_side = data, shorter_side
        self._kept: dict[Path, Square] = {}
        photos = data.splits["train"]
        for photo, pixels in zip(photos, ahead(self._read, photos, workers=cores()), strict=True):
            if pixels is not None and pixels.nbytes <= memory:
                self._kept[photo.path] = pixels
                memory -= pixels.nbytes

    def __len__(self) -> int:
        """Photos that are kept in memory."""
        return len(self._kept)

    def photo(self, photo: Photo) -> Square:
        """uint8 (height, width, 3). Raises DataError if a photo that was decoded before can no longer be."""
        pixels = self._kept.get(photo.path)
        if pixels is None:
            pixels = self._read(photo)
        if pixels is None:
            raise DataError(
                f"{self._data.name(photo)} could be decoded when the training began, and now it cannot; do not change "
                "the photos during training."
            )
        return pixels

    def _read(self, photo: Photo) -> Square | None:
        return read_whole(self._data, photo, shorter_side=self._shorter_side)


def random_crop(photo: Square, size: int, rng: np.random.Generator) -> Square:
    """A random crop of the photo, scaled to (size, size, 3), and mirrored with probability 0.5.

    Its area is SMALLEST_CROP to 1 of the photo's, its aspect ratio 3:4 to 4:3, as in torchvision's RandomResizedCrop.
    """
    height, width = photo.shape[:2]
    area = height * width * rng.uniform(SMALLEST_CROP, 1.0)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    crop_width, crop_height = min(width, np.sqrt(area * ratio)), min(height, np.sqrt(area / ratio))
    left, top = rng.uniform(0, width - crop_width), rng.uniform(0, height - crop_height)
    box = (left, top, left + crop_width, top + crop_height)
    crop = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(crop)


def _stacked(photos: Sequence[tuple[Square, int]], preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, crop, crop, 3) uint8 and (n,) class indices; n is 0 if there are more processes than photos."""
    pixels = np.zeros((len(photos), preprocessing.crop, preprocessing.crop, 3), np.uint8)
    for row, (square, _) in zip(pixels, photos, strict=True):
        row[:] = square
    return torch.from_numpy(pixels), torch.tensor([label for _, label in photos], dtype=torch.int64)
