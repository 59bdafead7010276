"""Under the real torchrun a failed training ends with the sentence about it, as the last text of torchrun's page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.processes import free_port
from tests.distributed import ranks
from tests.distributed.dogs import spoil, write_photos
from tests.distributed.small_network import write_weights
from tests.patience import PATIENCE_S
from training import distributed
from training.distributed import WorldError

SCRIPT = Path(__file__).with_name("small_train.py")
ONE_GPU = """
import runpy, sys, torch
torch.cuda.is_available, torch.cuda.device_count = lambda: True, lambda: 1
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Starts a script on a machine that seems to have one GPU. No process may get as far as using it."""


def last_lines(folder: Path, *arguments: str, script: Path = SCRIPT) -> str:
    """What torchrun with two processes prints below the heading of the root cause, in one line."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    run = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
    ended = subprocess.run(
        [sys.executable, "-m", *run, *(map(str, [script, *arguments]))],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    *_, page = ended.stderr.split("Root Cause (first observed failure):")
    *_, reason = page.split("traceback : ")
    return " ".join(reason.strip("\n=").split())


def options(folder: Path, *others: str) -> list[str]:
    paths = {"--data": "photos", "--model-dir": "model", "--pretrained": "weights.safetensors"}
    return [*(word for name, path in paths.items() for word in (name, str(folder / path))), *others]


@pytest.mark.slow
def test_a_folder_without_photos(tmp_path: Path) -> None:
    reason = last_lines(tmp_path, *options(tmp_path))
    assert reason == (
        f"The data folder {tmp_path}/photos does not exist; name a folder that contains train/, valid/ and test/."
    )


@pytest.mark.slow
def test_an_impossible_option(tmp_path: Path) -> None:
    assert last_lines(tmp_path, *options(tmp_path, "--epochs", "0")).startswith("--epochs ")


def test_a_failure_after_the_processes_have_met(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", breeds=2, counts={"train": 4, "valid": 2, "test": 1})
    spoil(photos, "test/Beagle/0.jpg", "test/Collie/0.jpg")
    write_weights(tmp_path / "weights.safetensors")
    assert last_lines(tmp_path, *options(tmp_path)).startswith("No photo in test/ can be decoded")


@pytest.mark.slow
def test_two_processes_on_a_machine_with_one_gpu(tmp_path: Path) -> None:
    (tmp_path / "one_gpu.py").write_text(ONE_GPU)
    reason = last_lines(tmp_path, str(SCRIPT), *options(tmp_path), script=tmp_path / "one_gpu.py")
    assert reason == (
        "2 processes were started on this host, which has 1 GPU, and two cannot train on one; start one process per "
        "GPU (torchrun --nproc-per-node 1)."
    )


def meet(same: bool) -> str:
    world = distributed.join()
    try:
        distributed.check_own_gpus(world, "GPU-1" if same else f"GPU-{world.rank}")
    except WorldError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("same", [True, False])
def test_two_hosts_that_see_the_same_gpu(tmp_path: Path, same: bool) -> None:
    said = ranks.run(meet, same, size=2, folder=tmp_path)
    expected = "2 processes share 1 GPU, and two cannot train on one; start one process per GPU." if same else ""
    assert said == [expected, expected]
