"""How much memory there is, so that photos kept decoded do not end a run that would do without."""

import os
from pathlib import Path

_PHOTOS_SHARE = 0.5
"""Of what is free: the network, its gradients and the other processes' surprises need the rest."""


def photo_budget(gib: float | None) -> int:
    """Bytes that this process may fill with decoded photos: `gib`, or half of what is free, shared by the processes of
    a host."""
    if gib is not None:
        return int(gib * 2**30)
    free = min(_free_on_the_machine(), _free_in_the_container())
    return int(free * _PHOTOS_SHARE) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _free_on_the_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    # macOS tells only what it has: a quarter of it is a guess that does no harm
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def _free_in_the_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """What the control group's limit leaves, of version 2 or 1; without a limit, more than any machine has."""
    for group, limit, used, cache in (
        (folder, "memory.max", "memory.current", "inactive_file"),
        (folder / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            left = int((group / limit).read_text()) - int((group / used).read_text())
            fields = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return max(0, left + int(fields.get(cache, 0)))  # files read count as used until something needs the room
        except (OSError, ValueError):  # not there, or `max`
            continue
    return 1 << 62
