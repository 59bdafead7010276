"""Memory that decoders may hold between them, so that large photos take turns and never add up."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


class MemoryBudget:
    """So many bytes for all threads of the process. Who asks first is served first, so a large one is never starved."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._turn = threading.Lock()
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free and hold them. Raises ValueError for more than there are in all."""
        if size > self.size:
            raise ValueError(f"{size} bytes will never be free: the budget is {self.size}.")
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._freed:
                self._free += size
                self._freed.notify()


def give_freed_memory_back() -> None:
    """Let glibc return a freed block of a megabyte or more to the system at once; elsewhere nothing changes.

    By default the first large block that is freed teaches glibc to keep the next ones, and the heap ends up holding
    about twice what photos take.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**20)
