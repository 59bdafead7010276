"""The memory that decoded photos may fill, so that keeping them does not exhaust it."""

import os
from pathlib import Path

_PHOTOS_SHARE = 0.5
"""Share of the free memory. The network, its gradients and other processes need the rest."""


def photo_budget(gib: float | None, *, reserved: int = 0) -> int:
    """Bytes that this process may fill with decoded photos: `gib`, or if that is None half of the free memory, divided
    by the number of processes on the host.

    reserved: bytes of the free memory that are needed for something else later.
    """
    if gib is not None:
        return int(gib * 2**30)
    free = max(0, min(_free_on_the_machine(), _free_in_the_container()) - reserved)
    return int(free * _PHOTOS_SHARE) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _free_on_the_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    # macOS reports only the installed memory; assume that a quarter of it is free
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def _free_in_the_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes left under the limit of the control group, version 2 or 1. Without a limit: more than any machine has."""
    for group, limit, used, cache in (
        (folder, "memory.max", "memory.current", "inactive_file"),
        (folder / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            left = int((group / limit).read_text()) - int((group / used).read_text())
            fields = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return max(
                0, left + int(fields.get(cache, 0))
            )  # cached files count as used, but are dropped when memory is needed
        except (OSError, ValueError):  # not there, or `max`
            continue
    return 1 << 62
