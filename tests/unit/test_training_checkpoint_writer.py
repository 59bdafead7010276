"""Checkpoints are written beside the training: completely, one at a time, and the newest in the end."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from contract.options import recipe
from tests.patience import PATIENCE_S
from training import checkpoint
from training.checkpoint import CheckpointError, Progress
from training.checkpoint_writer import CheckpointWriter, copy_bytes
from training.distributed import World
from training.model.backbone import RESNET50
from training.model.network import build
from training.optim import adamw

ALONE = World(0, 1, torch.device("cpu"))
RUN = "0123456789abcdef"


class SlowDisk:
    """A disk on which a write does not end before `release` is called."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()
        """Set when the content is written and only its sync is missing."""

    def fsync(self, _: int) -> None:
        self.reached.set()
        assert self._open.wait(PATIENCE_S)

    def release(self) -> None:
        self._open.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    slow = SlowDisk()
    monkeypatch.setattr(os, "fsync", slow.fsync)
    yield slow
    slow.release()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CheckpointWriter]:
    made = CheckpointWriter(tmp_path, RUN)
    yield made
    made.close()


def saved(folder: Path) -> list[str]:
    return sorted(path.name[:19] for path in folder.glob("*/epoch-*"))


def test_the_training_goes_on_while_a_checkpoint_is_written(
    tmp_path: Path, writer: CheckpointWriter, disk: SlowDisk
) -> None:
    weights, history = torch.full((2, 3), 0.5), [1]
    writer.save(Progress(1), {"network.weight": weights}, {"history": history}, skip_if_busy=True)
    assert disk.reached.wait(PATIENCE_S)
    assert saved(tmp_path) == []
    weights.zero_()
    history.append(2)
    disk.release()
    writer.wait()

    found = checkpoint.newest(tmp_path, RUN, ALONE)
    assert found is not None
    # exact: the numbers are copied, written to a file and read back, with all their bits
    assert torch.equal(found.tensors["network.weight"], torch.full((2, 3), 0.5))
    assert found.meta["history"] == [1]


def test_a_step_before_the_first_byte_is_written_changes_nothing_in_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, write = threading.Event(), checkpoint.write

    def late(*arguments: Any) -> None:
        assert begin.wait(PATIENCE_S)
        write(*arguments)

    monkeypatch.setattr(checkpoint, "write", late)
    writer, weights = CheckpointWriter(tmp_path, RUN), torch.full((2, 3), 0.5)
    writer.save(Progress(1), {"network.weight": weights}, {}, skip_if_busy=True)
    weights.zero_()
    begin.set()
    writer.close()

    found = checkpoint.newest(tmp_path, RUN, ALONE)
    assert found is not None
    # exact: the numbers are copied, written to a file and read back, with all their bits
    assert torch.equal(found.tensors["network.weight"], torch.full((2, 3), 0.5))


def test_a_checkpoint_that_is_due_during_a_write_is_skipped_and_the_last_one_waits(
    tmp_path: Path, writer: CheckpointWriter, disk: SlowDisk
) -> None:
    for epoch in (1, 2):
        writer.save(Progress(epoch), {"x": torch.full((2,), float(epoch))}, {}, skip_if_busy=True)
    last = threading.Thread(target=lambda: writer.save(Progress(3), {"x": torch.ones(3)}, {}, skip_if_busy=False))
    last.start()
    assert saved(tmp_path) == []
    disk.release()
    last.join(PATIENCE_S)
    writer.wait()

    assert saved(tmp_path) == ["epoch-000001-000000", "epoch-000003-000000"]


@pytest.mark.parametrize(
    "notice", [CheckpointWriter.wait, lambda writer: writer.save(Progress(2), {}, {}, skip_if_busy=True)]
)
def test_a_full_disk_is_reported_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notice: Callable[[CheckpointWriter], None]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    writer = CheckpointWriter(tmp_path, RUN)
    writer.save(Progress(1), {"x": torch.ones(2)}, {}, skip_if_busy=True)
    assert writer._written is not None
    futures.wait([writer._written], PATIENCE_S)
    with pytest.raises(CheckpointError, match=r"epoch-000001-000000 cannot be written .*No space left on device"):
        notice(writer)
    assert list((tmp_path / RUN).iterdir()) == []
    writer.close()


def test_the_copy_is_the_same_memory_for_every_checkpoint(tmp_path: Path, writer: CheckpointWriter) -> None:
    places = set()
    for epoch in range(3):
        writer.save(Progress(epoch), {"x": torch.ones(9)}, {}, skip_if_busy=False)
        places.add(writer._copy["x"].data_ptr())
    assert len(places) == 1


def test_the_memory_of_a_copy_is_known_before_the_training() -> None:
    network = build(5, "none", RESNET50)
    optimizer = adamw(network, recipe("full", pretrained=False))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    moments = sum(tensor.nbytes for tensor in checkpoint.flatten_optimizer(optimizer).values())
    assert copy_bytes(network) == pytest.approx(2 * weights + moments, rel=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.uint8])
def test_the_parts_are_a_file_of_the_safetensors_format(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {
        "bytes": torch.arange(5, dtype=torch.uint8),
        "matrix": torch.arange(6).reshape(2, 3).to(dtype),
        "number": torch.tensor(7, dtype=dtype),
        "none": torch.zeros(0, 3, dtype=dtype),
        "channels last": torch.arange(48.0).reshape(2, 2, 3, 4).contiguous(),
    }
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"".join(bytes(part) for part in checkpoint.safetensors_parts(tensors)))
    found = load_file(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        # exact: the numbers are written to a file and read back, with all their bits
        assert torch.equal(found[name], tensor)
