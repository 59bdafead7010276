"""Checkpoints: written completely or not at all."""

from pathlib import Path

import pytest
import torch

from training import checkpoint
from training.checkpoint import CheckpointError, Progress
from training.distributed import World

ALONE = World(0, 1, torch.device("cpu"))
RUN = "0123456789abcdef"


def tensors(value: float) -> dict[str, torch.Tensor]:
    return {"network.weight": torch.full((2, 3), value)}


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, RUN, Progress(4, 7), tensors(0.5), {"best": {"valid_loss": 0.1}})
    found = checkpoint.newest(tmp_path, RUN, ALONE)
    assert found is not None
    assert found[0] == Progress(4, 7)
    # exact: the numbers are written to a file and read back, with all their bits
    assert torch.equal(found[1]["network.weight"], tensors(0.5)["network.weight"])
    # exact: the numbers are written to a file and read back, with all their bits
    assert found[2] == {"best": {"valid_loss": 0.1}}


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for value, progress in enumerate([Progress(8), Progress(9, 120), Progress(10), Progress(10, 3)]):
        checkpoint.write(tmp_path, RUN, progress, tensors(value), {})
    names = [path.name[:19] for path in sorted((tmp_path / RUN).iterdir())]
    assert names == ["epoch-000010-000000", "epoch-000010-000003"]
    found = checkpoint.newest(tmp_path, RUN, ALONE)
    assert found is not None
    assert found[0] == Progress(10, 3)


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "gone", RUN, ALONE) is None
    assert checkpoint.others(tmp_path / "gone", RUN) == []


def test_checkpoints_of_another_run_are_not_found(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, "f" * 16, Progress(1), tensors(1), {})
    assert checkpoint.newest(tmp_path, RUN, ALONE) is None
    assert checkpoint.others(tmp_path, RUN) == ["f" * 16]


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.write(tmp_path, RUN, Progress(1), tensors(0.5), {})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        CheckpointError, match=r"epoch-000002-000000 cannot be written .*No space left on device.*--checkpoint-dir"
    ):
        checkpoint.write(tmp_path, RUN, Progress(2), tensors(0.7), {})
    found = checkpoint.newest(tmp_path, RUN, ALONE)
    assert found is not None
    assert found[0] == Progress(1)
    assert len(list((tmp_path / RUN).iterdir())) == 1


def test_a_checkpoint_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError):
        checkpoint.write(tmp_path / "file", RUN, Progress(1), tensors(1), {})


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_restored_optimizer_takes_the_same_step(order: torch.memory_format) -> None:
    """Equal to the last bit on any processor: both networks do the same operations in the same memory order."""

    def stepped(network: torch.nn.Conv2d, optimizer: torch.optim.Optimizer, seed: int) -> None:
        torch.manual_seed(seed)
        network(torch.randn(2, 3, 8, 8)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    def fresh() -> tuple[torch.nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 4, 3).to(memory_format=order)
        return network, torch.optim.AdamW(network.parameters(), lr=0.01)

    network, optimizer = fresh()
    stepped(network, optimizer, 1)
    saved = {name: t.contiguous().clone() for name, t in checkpoint.flatten_optimizer(optimizer).items()}
    weights = {name: t.contiguous().clone() for name, t in network.state_dict().items()}
    stepped(network, optimizer, 2)

    resumed, its_optimizer = fresh()
    resumed.load_state_dict(weights)
    checkpoint.restore_optimizer(its_optimizer, saved)
    stepped(resumed, its_optimizer, 2)
    # exact: both networks take the same step from the same numbers, with the same number of threads
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), resumed.parameters(), strict=True))
    moments = its_optimizer.state[resumed.weight]["exp_avg"]
    assert moments.stride() == resumed.weight.stride()
