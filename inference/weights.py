"""Keep a network's weights in a file while it runs, so that memory holds them once and not twice.

OpenVINO packs the weights of each layer for the processor's instructions. It keeps the constants of the model that it
compiled for as long as the network lives, and does not read them again. They need 94 MB for a ResNet50 in float32. Here
they become pages of a file: those that are not used can be dropped, and the system reads them back when they are.
"""

import mmap
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import openvino as ov

_LEAST_BYTES = 64 * 1024
"""Smaller constants, such as biases, stay in memory. Together they have less than a megabyte."""

_TYPES = frozenset({ov.Type.f32, ov.Type.i8})
"""The element types of weights, as training exports them."""

_ALIGNMENT = 64
"""Bytes, a cache line. OpenVINO would copy a constant whose address is not a multiple of its element's size."""

_INTERVAL_S = 0.01


def unnamed_file(parts: Iterable[memoryview]) -> IO[bytes] | None:
    """A temporary file of these parts, each at the next multiple of _ALIGNMENT. It has no name, so it disappears with
    the process.

    None where there is no writable folder for it (a container whose file system is read-only) or no space, and on
    systems that cannot drop pages (macOS).
    """
    if sys.platform != "linux":
        return None
    try:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    except OSError:
        return None
    try:
        for part in parts:
            file.seek(_aligned(file.tell()))
            unwritten = part.cast("B")
            while unwritten:
                unwritten = unwritten[file.write(unwritten) :]
    except OSError:
        file.close()
        return None
    return file


def _aligned(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT


class WeightsFile:
    """The weights of `graph` in a file. Where `unnamed_file` makes none, they stay in memory."""

    def __init__(self, graph: ov.Model) -> None:
        self._pages: mmap.mmap | None = None
        constants = [each for each in graph.get_ordered_ops() if _is_large_constant(each)]
        file = unnamed_file(memoryview(constant.data) for constant in constants) if constants else None
        if file is None:
            return
        with file:
            # writable, because OpenVINO demands it, and private, so that the file stays as it is
            self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        place = 0
        for constant in constants:
            place = _aligned(place)
            values = np.frombuffer(self._pages, constant.data.dtype, constant.data.size, place)
            place += values.nbytes
            moved = ov.op.Constant(values.reshape(constant.data.shape), shared_memory=True)
            moved.set_friendly_name(constant.get_friendly_name())
            constant.output(0).replace(moved.output(0))

    def drop(self) -> None:
        """Free the memory of the pages that were read. They are in the file."""
        if self._pages is not None and sys.platform == "linux":
            self._pages.madvise(mmap.MADV_DONTNEED)

    @contextmanager
    def dropped(self) -> Iterator[None]:
        """Drop the pages every hundredth of a second until the block ends, and then once more.

        Compiling reads all of them and packs a second copy, so that its peak would be twice the weights.
        """
        ended = threading.Event()

        def drop() -> None:
            while not ended.wait(_INTERVAL_S):
                self.drop()

        thread = threading.Thread(target=drop, name="weights")
        if self._pages is not None:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if self._pages is not None:
                thread.join()
            self.drop()


def _is_large_constant(node: ov.Node) -> bool:
    return (
        isinstance(node, ov.op.Constant) and node.get_element_type() in _TYPES and node.get_byte_size() >= _LEAST_BYTES
    )
