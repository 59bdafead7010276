"""Threads that prepare results ahead of their use. Pillow and torch release the interpreter lock while they compute."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def ahead(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """`work(item)` for each item, in order. At most two results per worker are computed ahead of their use."""
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
            for future in coming:  # the caller stopped early
                future.cancel()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """A context in which torch computes each layer in the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
