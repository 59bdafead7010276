"""The sample data set on disk: FOLDER/{train,valid,test}/<breed>/<breed>_00001.jpg and FOLDER/sample.json."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from sample_dogs.atomic_write import PART_PATTERN, write_whole
from sample_dogs.breeds import BREEDS, Breed
from sample_dogs.drawing import draw

SPLITS = ("train", "valid", "test")
DEFAULT_COUNTS: Mapping[str, int] = {"train": 40, "valid": 8, "test": 8}
"""Photos per breed."""
MARKER = "sample.json"
DRAWING_VERSION = 2
"""Increase it when a change gives other pixels for the same seed: older samples are then drawn again."""
_WORTH_A_POOL = 64
"""With fewer photos, starting worker processes takes longer than drawing in this process."""


class SampleFolderError(FileExistsError):
    """The folder contains something other than a sample. The message says what to do."""


class SampleRequestError(ValueError):
    """Impossible parameters. The message names the allowed values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSummary:
    """The contents of the folder after `write_sample`."""

    folder: Path
    breeds: tuple[str, ...]
    counts: Mapping[str, int]
    """Photos per breed of each split."""
    photos: int
    """Total number of photos."""
    drawn: int
    """Photos that this call drew; the others already existed."""

    @property
    def reused(self) -> bool:
        """Whether the folder was already complete."""
        return self.drawn == 0


@dataclass(frozen=True, slots=True)
class _Photo:
    """All parameters of one photo."""

    seed: int
    split: str
    breed: Breed
    index: int

    @property
    def path(self) -> str:
        return f"{self.split}/{self.breed.name}/{self.breed.name}_{self.index:05d}.jpg"


def write_sample(
    folder: Path,
    *,
    counts: Mapping[str, int] = DEFAULT_COUNTS,
    seed: int = 0,
    breeds: Sequence[Breed] = BREEDS,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSummary:
    """Draw the sample into `folder`, which must be new, empty or a sample.

    The same parameters give the same bytes. Existing photos are kept if they were drawn with the same parameters and
    replaced if not. Files that this function did not write are never changed. An interrupted call leaves only complete
    photos, and the next call draws the missing ones.

    `progress(done, total)` is called after every photo, in this process.

    Raises `SampleFolderError` for a folder with other files, `SampleRequestError` for impossible parameters.
    """
    _check_counts(counts, seed, breeds)
    marker = {"drawing": DRAWING_VERSION, "seed": seed, "counts": dict(counts), "breeds": [b.name for b in breeds]}
    _prepare(folder, marker)
    # Breeds alternate within a split, so that an interrupted sample contains photos of every breed.
    photos = [
        _Photo(seed, split, breed, index)
        for split in counts
        for index in range(1, counts[split] + 1)
        for breed in breeds
    ]
    missing = [photo for photo in photos if not _is_complete(folder / photo.path)]
    done = len(photos) - len(missing)
    if progress and done:
        progress(done, len(photos))
    for directory in sorted({(folder / photo.path).parent for photo in missing}):
        directory.mkdir(parents=True, exist_ok=True)
        for part in directory.glob(PART_PATTERN):  # left by a process that was killed
            part.unlink()
    with closing(_drawn(folder, missing)) as finished:
        for _ in finished:
            done += 1
            if progress:
                progress(done, len(photos))
    return SampleSummary(
        folder=folder,
        breeds=tuple(breed.name for breed in breeds),
        counts=dict(counts),
        photos=len(photos),
        drawn=len(missing),
    )


def encoded(seed: int, split: str, breed: Breed, index: int) -> bytes:
    """One photo as JPEG. It depends only on these parameters, not on the size of the sample."""
    name = f"{seed}/{split}/{breed.name}/{index}"
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()))
    photo, jpeg = draw(breed, rng), BytesIO()
    photo.save(jpeg, "JPEG", quality=int(rng.integers(68, 93)))
    return jpeg.getvalue()


def _check_counts(counts: Mapping[str, int], seed: int, breeds: Sequence[Breed]) -> None:
    for split, count in counts.items():
        if split not in SPLITS:
            raise SampleRequestError(f"counts names a split {split!r}; the splits are {', '.join(SPLITS)}.")
        if not 0 <= count < 100_000:
            raise SampleRequestError(
                f"counts[{split!r}] is {count}; give a number of photos per breed from 0 to 99999."
            )
    if not sum(counts.values()):
        raise SampleRequestError("counts is 0 for every split; give at least one split a number above 0.")
    if seed < 0:
        raise SampleRequestError(f"seed is {seed}; give an integer of at least 0.")
    if not breeds:
        raise SampleRequestError(f"breeds is empty; name at least one of {', '.join(breed.name for breed in BREEDS)}.")


def _prepare(folder: Path, marker: dict[str, Any]) -> None:
    """Create the folder and its marker file, and delete photos that were drawn with other parameters."""
    if folder.exists() and not folder.is_dir():
        raise SampleFolderError(f"{folder} is a file; give the name of a new folder for the sample.")
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _read_marker(folder)
    if earlier is None and any(folder.iterdir()):
        raise SampleFolderError(
            f"{folder} is not empty and is not a sample (it has no {MARKER}): name a new or empty folder."
        )
    if earlier == marker:
        return
    if earlier:
        for path in list(_paths_of(earlier)):
            (folder / path).unlink(missing_ok=True)
    write_whole(folder / MARKER, (json.dumps(marker, indent=1) + "\n").encode())


def _read_marker(folder: Path) -> dict[str, Any] | None:
    try:
        marker = json.loads((folder / MARKER).read_bytes())
        list(_paths_of(marker))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SampleFolderError(
            f"{folder / MARKER} is not the {MARKER} of a sample; delete {folder} or name another folder."
        ) from error
    return dict(marker)


def _paths_of(marker: dict[str, Any]) -> Generator[str]:
    for split, count in marker["counts"].items():
        for name in marker["breeds"]:
            if split not in SPLITS or Path(name).name != name:
                raise ValueError(f"{split}/{name} is not a folder of a sample")
            yield from (f"{split}/{name}/{name}_{index:05d}.jpg" for index in range(1, int(count) + 1))


def _is_complete(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _drawn(folder: Path, photos: list[_Photo]) -> Generator[None]:
    """Draw the photos, yielding after each one; many photos are drawn in parallel."""
    done = 0
    if len(photos) >= _WORTH_A_POOL and _processors() > 1 and _main_can_be_imported():
        # A fork of a process with threads (torch, rich) can hang; a new interpreter cannot.
        pool = ProcessPoolExecutor(_processors(), get_context("spawn"))
        try:
            with _interrupts_blocked():
                written = pool.map(_write_photo, repeat(folder), photos, chunksize=4)
            for _ in written:
                done += 1
                yield
        except BrokenProcessPool:
            pass  # a worker was killed, perhaps for lack of memory: draw the rest in this process
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for photo in photos[done:]:
        _write_photo(folder, photo)
        yield


def _processors() -> int:
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


def _main_can_be_imported() -> bool:
    """False for `python -` and the interactive prompt: a spawned process could not import the main module."""
    main = sys.modules["__main__"]
    return main.__spec__ is not None or Path(getattr(main, "__file__", "")).is_file()


@contextmanager
def _interrupts_blocked() -> Generator[None]:
    """Block SIGINT in this process until the end of the block, and in the processes that start within it for good.

    Ctrl-C goes to every process of a terminal. The workers ignore it, finish their photo, and are ended by the parent.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write_photo(folder: Path, photo: _Photo) -> None:
    write_whole(folder / photo.path, encoded(photo.seed, photo.split, photo.breed, photo.index))
