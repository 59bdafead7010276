"""Limit the memory of a process, and measure it."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


@contextmanager
def memory_cap(pid: int, size: int) -> Iterator[str]:
    """Limit the process to `size` bytes for the block, and yield the name of the means.

    It is a cgroup if this process may create one: that counts resident memory. Otherwise it is RLIMIT_DATA, which
    counts allocated memory and is stricter. RLIMIT_AS would also count memory that a runtime reserves and never uses.
    """
    group = _cgroup(size)
    if group is None:
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
        yield "RLIMIT_DATA"
        return
    (group / "cgroup.procs").write_text(str(pid))
    try:
        yield "cgroup"
    finally:
        parent = group.parent / "cgroup.procs"
        for survivor in (group / "cgroup.procs").read_text().split():
            parent.write_text(survivor)
        group.rmdir()


def _cgroup(size: int) -> Path | None:
    version_1 = _CGROUPS / "memory"
    group = (version_1 if version_1.is_dir() else _CGROUPS) / f"kennel-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        limit = group / ("memory.limit_in_bytes" if version_1.is_dir() else "memory.max")
        limit.write_text(str(size))
    except OSError:
        group.rmdir()
        return None
    return group


def resident(pid: int, *, peak: bool = False) -> int:
    """The resident memory of the process in bytes, now or at its peak, including shared libraries."""
    name = "VmHWM:" if peak else "VmRSS:"
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(name)).split()[1]) * 1024
