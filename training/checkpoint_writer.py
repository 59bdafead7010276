"""Checkpoints are written by a thread beside the training, which waits only for a copy of its state in memory.

On two cores a checkpoint of a whole ResNet50, 381 MB, takes two seconds, of which the copy takes a tenth.
docs/decisions/0100 says what becomes of a checkpoint that is due while another one is being written.
"""

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import checkpoint
from training.checkpoint import Progress


class CheckpointWriter:
    """Writes the checkpoints of one run, one at a time.

    A failed write raises CheckpointError in the next call of a method.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self._folder, self._run = folder, run
        self._copy: dict[str, torch.Tensor] = {}
        """In host memory, which is used again for the next checkpoint."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._written: Future[None] | None = None

    def save(
        self, progress: Progress, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any], *, skip_if_busy: bool
    ) -> None:
        """Copy the state, and begin to write it. The caller may change the tensors once this has returned.

        skip_if_busy: do nothing if a checkpoint is still being written; otherwise this waits for it.
        """
        if skip_if_busy and self.busy:
            return
        self.wait()
        self._copy = {name: self._copied(name, tensor.detach()) for name, tensor in tensors.items()}
        copied = _event() if any(tensor.is_cuda for tensor in tensors.values()) else None
        state = json.dumps(dict(meta))  # now, because the training goes on to append to its history
        self._written = self._thread.submit(self._write, progress, dict(self._copy), state, copied)

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._written is not None and not self._written.done()

    def wait(self) -> None:
        """Return when the last checkpoint that was begun is on the disk."""
        written, self._written = self._written, None
        if written:
            written.result()

    def close(self) -> None:
        """Wait, and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown(wait=False)

    def _copied(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        kept = self._copy.get(name)
        if kept is None or kept.shape != tensor.shape or kept.dtype != tensor.dtype:
            # Only into pinned memory does a GPU copy while it computes.
            kept = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        return kept.copy_(tensor, non_blocking=True)

    def _write(
        self, progress: Progress, tensors: dict[str, torch.Tensor], state: str, copied: torch.cuda.Event | None
    ) -> None:
        if copied is not None:
            copied.synchronize()
        checkpoint.write(self._folder, self._run, progress, tensors, json.loads(state))


def copy_bytes(network: nn.Module) -> int:
    """Bytes of host memory for the copy of a training's state: weights, best weights and AdamW's two moments."""
    return 4 * sum(parameter.nbytes for parameter in network.parameters())


def _event() -> torch.cuda.Event:
    """Reached when the GPU has done all that it was given until now, so that the copy is complete."""
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event
