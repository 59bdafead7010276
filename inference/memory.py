"""A memory budget for decoding: large photos wait for each other, so that their memory does not add up."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


class MemoryBudget:
    """`size` bytes for all threads of the process. They are served in order, so that large requests do not starve."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._begin()
        # A forked process has one thread, and inherits what the others held, which they can never free there.
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._free = self.size
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    def raise_to(self, size: int) -> None:
        """Make the budget at least `size` bytes."""
        with self._freed:
            more = max(0, size - self.size)
            self.size += more
            self._free += more
            self._freed.notify()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free, and hold them for the block. Raises ValueError above the whole budget."""
        if size > self.size:
            raise ValueError(
                f"{size} bytes are more than the whole budget of {self.size}, so waiting for them would never end."
            )
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._freed:
                self._free += size
                self._freed.notify()


def return_large_blocks() -> None:
    """Make glibc return each freed block of a megabyte or more to the system. Without glibc nothing changes.

    By default glibc raises this threshold when a large block is freed, keeps the next ones, and the heap grows to about
    twice the memory that photos take.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**20)
