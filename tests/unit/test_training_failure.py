"""Log lines, the failure file, and the errors of processes that cannot train together."""

import io
from pathlib import Path

import pytest
import torch

from training import distributed, failure, peers
from training.distributed import WorldError
from training.log import emit, line


class Writes(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.each: list[str] = []

    def write(self, text: str) -> int:
        self.each.append(text)
        return super().write(text)


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Writes()
    monkeypatch.setattr("sys.stdout", out)
    emit(epoch=3, of=15, train_loss=0.25)
    assert out.each == ["epoch=3 of=15 train_loss=0.2500\n"]


def test_text_stays_on_its_line_and_in_its_field() -> None:
    assert line(skipped="train/a b.jpg", reason='no\n"photo"') == 'skipped="train/a b.jpg" reason="no \'photo\'"'
    assert line(skipped="train/caf\udce9.jpg") == r"skipped=train/caf\xe9.jpg"
    assert line(reason="") == 'reason=""'


def test_the_first_failure_is_kept(tmp_path: Path) -> None:
    failure.record(tmp_path / "output", "x" * 2000)
    failure.record(tmp_path / "output", "Connection closed by peer")
    assert (tmp_path / "output" / "failure").read_text() == "x" * 1024


def test_the_failure_of_an_earlier_run_is_deleted(tmp_path: Path) -> None:
    failure.record(tmp_path, "earlier")
    failure.clear(tmp_path)
    failure.record(tmp_path, "now")
    assert (tmp_path / "failure").read_text() == "now"


def test_an_unwritable_failure_file_raises_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    failure.record(tmp_path / "file", "why")
    failure.record(None, "why")


@pytest.mark.parametrize(
    ("hosts", "size", "joined"),
    [("[]", 1, True), ('["algo-1"]', 1, True), ('["algo-1", "algo-2"]', 1, False), ('["algo-1"]', 2, False)],
)
def test_the_world_must_match_sagemakers_hosts(
    monkeypatch: pytest.MonkeyPatch, hosts: str, size: int, joined: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("SM_HOSTS", hosts)
    monkeypatch.setenv("WORLD_SIZE", str(size))
    if joined:
        assert distributed.join().size == 1
    else:
        with pytest.raises(WorldError, match=f"the world size is {size}"):
            distributed.join()


def test_a_gpu_that_torch_cannot_use_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training on the CPU would take hours, at the price of a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("SM_NUM_GPUS", "1")
    with pytest.raises(WorldError, match=r"has 1 GPU that torch .* cannot use"):
        distributed.join()


def test_a_host_with_sm_num_gpus_0_trains_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rehearsed hosts cannot share the machine's GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("SM_NUM_GPUS", "0")
    assert distributed.join().device.type == "cpu"


@pytest.mark.parametrize(("local_rank", "processes"), [(1, ""), (0, "2"), (1, "2")])
def test_processes_without_a_gpu_of_their_own_are_refused(
    monkeypatch: pytest.MonkeyPatch, local_rank: int, processes: str
) -> None:
    """All of them, so that none waits for another."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", str(local_rank))
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    with pytest.raises(WorldError, match=r"2 processes were started .* has 1 GPU, .* --nproc-per-node 1"):
        distributed.join()


def test_an_nccl_error_of_this_process_is_not_a_lost_peer() -> None:
    message = "NCCL error in: NCCLUtils.cpp:94, {}, NCCL version 2.28.3\n{}: "
    for own in (("invalid usage", "ncclInvalidUsage"), ("unhandled cuda error", "ncclUnhandledCudaError")):
        assert not peers.is_lost_peer(torch.distributed.DistBackendError(message.format(*own)))
    gone = message.format("remote process exited or there was a network error", "ncclRemoteError")
    assert peers.is_lost_peer(torch.distributed.DistBackendError(gone))


def test_a_rank_that_is_not_a_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(WorldError, match="RANK is 'first'"):
        distributed.join()


def test_processes_that_cannot_connect_report_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    monkeypatch.delenv("SM_HOSTS", raising=False)
    with pytest.raises(WorldError, match=r"cannot connect to the others at 127\.0\.0\.1:\?"):
        distributed.join()
