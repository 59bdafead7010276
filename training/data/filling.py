"""Batches of pixels that threads or processes fill ahead of their use.

Threads of one process share its interpreter lock, and each photo holds it for about a quarter of a millisecond. With a
GPU that is too long: the lock limits all cores together, and the thread that starts the GPU's work waits for it behind
the others. So there processes read the photos (docs/decisions/0102).
"""

import contextlib
import ctypes
import gc
import mmap
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from training.data.dataset import DataError

_TOGETHER = 16
"""Items of one task. Fewer would cost the main process more for each photo; with more, cores would wait at the end."""

_PR_SET_PDEATHSIG = 1
_STOPS = (signal.SIGINT, signal.SIGTERM)
"""Signals that the processes ignore: the training decides when to stop."""

T = TypeVar("T")
R = TypeVar("R")
Pixels = npt.NDArray[np.uint8]
Work = Callable[[T, Pixels], R]
"""Writes the pixels of an item into the (size, size, 3) array, and returns something about it."""


class Filler(Generic[T, R]):
    """Fills batches with `work`, in memory that is used again for later batches."""

    def __init__(self, work: Work[T, R], *, batch_size: int, size: int, workers: int, processes: bool) -> None:
        """batch_size: the most items of a batch.

        size: pixels of each side of a photo.
        processes: whether to use processes. They are forked now, and know what this process knows now; what they
            change, such as an attribute, stays with them. Items and results are pickled.
        """
        ahead = -(-2 * workers * _TOGETHER // batch_size)  # two tasks for each worker
        shape = (2 + ahead, batch_size, size, size, 3)  # one batch is with the caller, and one becomes complete
        # Anonymous memory: a container's /dev/shm may have no more than 64 MB.
        place = mmap.mmap(-1, int(np.prod(shape))) if processes else bytearray(int(np.prod(shape)))
        self._memory = np.frombuffer(place, np.uint8).reshape(shape)
        self._work = work
        self._pool = self._processes(workers) if processes else ThreadPoolExecutor(workers)
        self._fill = _fill_here if processes else self._fill_slot

    def _processes(self, workers: int) -> Executor:
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_begin,
            initargs=(self._work, self._memory, os.getpid()),
        )
        # A signal that comes before a process ignores it waits until then, and so does not end the process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            pool.submit(os.getpid)  # forks all of them, while NCCL has no connections yet
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pool

    def batches(self, requests: Iterable[Sequence[T]]) -> Iterator[tuple[torch.Tensor, list[R]]]:
        """For each list of items, in order: (items, size, size, 3) uint8 and the results.

        The tensor is overwritten once the next batch is asked for. Raises what `work` raises, and DataError if a
        process of the pool was killed.
        """
        waiting, free = iter(requests), deque(range(len(self._memory)))
        coming: deque[tuple[int, int, list[Future[list[R]]]]] = deque()

        def begin() -> None:
            items = next(waiting, None)
            if items is not None:
                slot = free.popleft()
                starts = range(0, len(items), _TOGETHER)
                tasks = [
                    self._pool.submit(self._fill, slot, start, items[start : start + _TOGETHER]) for start in starts
                ]
                coming.append((slot, len(items), tasks))

        try:
            for _ in range(len(self._memory) - 1):
                begin()
            while coming:
                slot, count, tasks = coming.popleft()
                results = [result for task in tasks for result in task.result()]
                yield torch.from_numpy(self._memory[slot, :count]), results
                free.append(slot)
                begin()
        except BrokenProcessPool as error:
            raise DataError(
                "A process that reads photos was killed, probably because no memory was left; use a host with more "
                "memory, or in full mode lower --workers or --photo-memory-gib."
            ) from error
        finally:  # the caller may have stopped early, and another call may follow
            left = [task for _, _, tasks in coming for task in tasks]
            for task in left:
                task.cancel()
            wait(left)

    def close(self) -> None:
        """End the threads or processes."""
        self._pool.shutdown(cancel_futures=True)

    def _fill_slot(self, slot: int, start: int, items: Sequence[T]) -> list[R]:
        return _filled(self._work, self._memory, slot, start, items)


def _filled(work: Work[T, R], memory: Pixels, slot: int, start: int, items: Sequence[T]) -> list[R]:
    return [work(item, memory[slot, place]) for place, item in enumerate(items, start)]


_job: tuple[Work[Any, Any], Pixels]
"""In a process of the pool: what it does, and the shared memory."""


def _begin(work: Work[Any, Any], memory: Pixels, parent: int) -> None:
    """The first thing that a process of the pool does."""
    global _job
    _job = work, memory
    gc.freeze()  # what the training has on its GPU is not for this process to free
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    with contextlib.suppress(AttributeError):  # Linux: end with the training, even if that is killed
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _fill_here(slot: int, start: int, items: Sequence[Any]) -> list[Any]:
    return _filled(*_job, slot, start, items)
