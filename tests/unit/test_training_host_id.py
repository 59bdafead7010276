"""The host id by which NCCL tells the hosts of a job apart."""

import os

import pytest
import torch.distributed

from training import distributed
from training.distributed import WorldError


@pytest.fixture
def at_the_start(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment when the process group was made, filled by `join`: NCCL reads it only then."""
    found: dict[str, str] = {}

    def init_process_group(*_: object, **__: object) -> None:
        found.update(os.environ)
        raise RuntimeError("no peer in this test")

    monkeypatch.setattr(torch.distributed, "init_process_group", init_process_group)
    for name in ("NCCL_HOSTID", "SM_HOSTS", "SM_CURRENT_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    return found


def join() -> None:
    with pytest.raises(WorldError, match="no peer in this test"):
        distributed.join()


def test_each_host_of_sagemaker_gives_nccl_an_id_of_its_own(
    monkeypatch: pytest.MonkeyPatch, at_the_start: dict[str, str]
) -> None:
    """All its containers have one host name, by which NCCL would take them for one host."""
    monkeypatch.setenv("SM_HOSTS", '["algo-1", "algo-2"]')
    for host in ("algo-1", "algo-2"):
        monkeypatch.delenv("NCCL_HOSTID", raising=False)
        monkeypatch.setenv("SM_CURRENT_HOST", host)
        join()
        assert at_the_start["NCCL_HOSTID"] == host


def test_a_host_id_that_the_operator_set_stays(monkeypatch: pytest.MonkeyPatch, at_the_start: dict[str, str]) -> None:
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-1")
    monkeypatch.setenv("NCCL_HOSTID", "mine")
    join()
    assert at_the_start["NCCL_HOSTID"] == "mine"


def test_outside_sagemaker_nccl_finds_the_host_by_itself(at_the_start: dict[str, str]) -> None:
    join()
    assert "NCCL_HOSTID" not in at_the_start
