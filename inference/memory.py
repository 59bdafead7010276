"""Memory that decoders may hold between them, so that large photos take turns and never add up."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
