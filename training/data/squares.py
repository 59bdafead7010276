"""Photos as serving sees them, read ahead of a GPU."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataSet, Photo
from training.data.filling import Filler
from training.data.reading import Square, read_square

PROCESSES_FROM = 1000
"""Photos from which processes read them. Fewer are read by threads before the processes would have started."""


class _Read(NamedTuple):
    usable: bool
    skipped: str | None
    truncated: str | None
    seconds: float


def read_squares(
    data: DataSet,
    batches: Sequence[Sequence[Photo]],
    preprocessing: Preprocessing,
    *,
    workers: int,
    processes: bool | None = None,
) -> Iterator[tuple[torch.Tensor, list[bool], float]]:
    """For each batch: (photos, crop, crop, 3) uint8, which is overwritten when the next is asked for; which photos are
    usable; and the seconds that their reading took, summed over all workers. The pixels of an unusable photo are 0.

    Photos that cannot be used are recorded in `data`.

    processes: whether processes read; None is from PROCESSES_FROM photos on.
    """
    photos = [photo for batch in batches for photo in batch]

    def read(index: int, place: Square) -> _Read:
        began, name = time.perf_counter(), None
        square = read_square(data, photos[index], preprocessing)
        place[:] = 0 if square is None else square
        if data.skipped or data.truncated:  # seldom, because the name of a photo takes a while
            name = data.name(photos[index])
        skipped, truncated = (notes.get(name) if name else None for notes in (data.skipped, data.truncated))
        return _Read(square is not None, skipped, truncated, time.perf_counter() - began)

    filler = Filler(
        read,
        batch_size=max((len(batch) for batch in batches), default=1),
        size=preprocessing.crop,
        workers=workers,
        processes=len(photos) >= PROCESSES_FROM if processes is None else processes,
    )
    ends = [0]
    for batch in batches:
        ends.append(ends[-1] + len(batch))
    try:
        requests = (range(start, end) for start, end in itertools.pairwise(ends))
        for start, (pixels, found) in zip(ends, filler.batches(requests), strict=False):
            for index, one in enumerate(found, start):
                if one.skipped is not None:
                    data.skipped[data.name(photos[index])] = one.skipped
                if one.truncated is not None:
                    data.truncated[data.name(photos[index])] = one.truncated
            yield pixels, [one.usable for one in found], sum(one.seconds for one in found)
    finally:
        filler.close()
