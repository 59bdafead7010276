"""How much memory photos may fill: what a container leaves counts, not what the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.data import memory
from training.data.memory import photo_budget

GIB = 2**30


def group(folder: Path, names: tuple[str, str, str], *, limit: str, used: int, cache: int) -> None:
    folder.mkdir(exist_ok=True)
    limit_file, used_file, cache_field = names
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / used_file).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 12\n{cache_field} {cache}\n")


VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def test_version_2_leaves_its_limit_less_what_is_used_and_files_are_not_used(tmp_path: Path) -> None:
    group(tmp_path, VERSION_2, limit=str(8 * GIB), used=5 * GIB, cache=2 * GIB)
    assert memory._free_in_the_container(tmp_path) == 5 * GIB


def test_version_1_does_too(tmp_path: Path) -> None:
    group(tmp_path / "memory", VERSION_1, limit=str(4 * GIB), used=3 * GIB, cache=0)
    assert memory._free_in_the_container(tmp_path) == GIB


@pytest.mark.parametrize("limit", ["max", None])
def test_without_a_limit_a_container_leaves_more_than_any_machine_has(tmp_path: Path, limit: str | None) -> None:
    if limit:
        group(tmp_path, VERSION_2, limit=limit, used=GIB, cache=0)
    assert memory._free_in_the_container(tmp_path) > 2**50


def test_half_of_what_is_free_is_for_photos_and_the_processes_of_a_host_share_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_free_on_the_machine", lambda: 12 * GIB)
    monkeypatch.setattr(memory, "_free_in_the_container", lambda: 1 << 62)
    assert photo_budget(None) == 6 * GIB
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert photo_budget(None) == 2 * GIB
    monkeypatch.setattr(memory, "_free_in_the_container", lambda: 3 * GIB)
    assert photo_budget(None) == GIB // 2


def test_an_option_is_taken_as_it_is() -> None:
    assert photo_budget(0.25) == GIB // 4
    assert photo_budget(0.0) == 0


def test_this_machine_has_some() -> None:
    assert photo_budget(None) > 0


STARTED_AS_A_FILE = """
import torch, torchvision  # train.py, started by torchrun, has them before anything of its own package
import training
tensor = torch.ones(2**24)
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:")))
"""


@pytest.mark.parametrize(("asked", "large"), [(None, True), ("0", False)])
def test_large_tensors_lie_in_large_pages_unless_the_operator_says_no(asked: str | None, large: bool) -> None:
    lent = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not lent.exists() or "[madvise]" not in lent.read_text():
        pytest.skip("this kernel lends large pages to nobody, or to all")
    env = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    env |= {} if asked is None else {"THP_MEM_ALLOC_ENABLE": asked}
    ended = subprocess.run(
        [sys.executable, "-c", STARTED_AS_A_FILE], env=env, capture_output=True, text=True, check=True
    )
    assert (int(ended.stdout) > 2**24 * 4 / 1024 / 2) == large  # KiB; half of the 64 MiB at least
