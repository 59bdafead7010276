"""Threads that work ahead of the one who learns. Pillow and torch let go of the interpreter lock while they compute."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def ahead(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """`work` of each item, in order. Its threads are at most two items each ahead of the one who takes them."""
    with ThreadPoolExecutor(workers) as pool:
        coming: deque[Future[R]] = deque()
        try:
            for item in items:
                coming.append(pool.submit(work, item))
                if len(coming) > 2 * workers:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:  # nobody takes them any more
                future.cancel()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Within, a network's layer is computed by the thread that calls it, and by no other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
