"""How much memory decoded photos may fill: the free memory of the container, if it has a limit."""

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


def test_version_2_leaves_the_limit_minus_used_memory_without_cached_files(tmp_path: Path) -> None:
    group(tmp_path, VERSION_2, limit=str(8 * GIB), used=5 * GIB, cache=2 * GIB)
    assert memory._free_in_the_container(tmp_path) == 5 * GIB


def test_version_1_leaves_the_limit_minus_used_memory(tmp_path: Path) -> None:
    group(tmp_path / "memory", VERSION_1, limit=str(4 * GIB), used=3 * GIB, cache=0)
    assert memory._free_in_the_container(tmp_path) == GIB


@pytest.mark.parametrize("limit", ["max", None])
def test_without_a_limit_the_container_restricts_nothing(tmp_path: Path, limit: str | None) -> None:
    if limit:
        group(tmp_path, VERSION_2, limit=limit, used=GIB, cache=0)
    assert memory._free_in_the_container(tmp_path) > 2**50


def test_half_of_the_free_memory_is_for_photos_divided_by_the_processes_of_a_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_free_on_the_machine", lambda: 12 * GIB)
    monkeypatch.setattr(memory, "_free_in_the_container", lambda: 1 << 62)
    assert photo_budget(None) == 6 * GIB
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert photo_budget(None) == 2 * GIB
    monkeypatch.setattr(memory, "_free_in_the_container", lambda: 3 * GIB)
    assert photo_budget(None) == GIB // 2


def test_memory_that_is_needed_later_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy of a training's state, from which a checkpoint is written."""
    monkeypatch.setattr(memory, "_free_on_the_machine", lambda: 5 * GIB)
    monkeypatch.setattr(memory, "_free_in_the_container", lambda: 1 << 62)
    assert photo_budget(None, reserved=GIB) == 2 * GIB
    assert photo_budget(None, reserved=6 * GIB) == 0


def test_a_given_amount_is_used_unchanged() -> None:
    assert photo_budget(0.25) == GIB // 4
    assert photo_budget(0.0) == 0


def test_this_machine_has_free_memory() -> None:
    assert photo_budget(None) > 0


STARTED_AS_A_FILE = """
import torch  # train.py, started by torchrun, imports torch before this package
import training
tensor = torch.ones(2**24)
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:")))
"""


@pytest.mark.parametrize(("variable", "large"), [(None, True), ("0", False)])
def test_large_tensors_are_in_large_pages_unless_the_operator_turns_them_off(variable: str | None, large: bool) -> None:
    lent = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not lent.exists() or "[madvise]" not in lent.read_text():
        pytest.skip("on this kernel large pages are not a choice of the process")
    env = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    env |= {} if variable is None else {"THP_MEM_ALLOC_ENABLE": variable}
    ended = subprocess.run(
        [sys.executable, "-c", STARTED_AS_A_FILE], env=env, capture_output=True, text=True, check=True
    )
    assert (int(ended.stdout) > 2**24 * 4 / 1024 / 2) == large  # KiB; at least half of the 64 MiB
