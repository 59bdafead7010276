"""The use of processor, memory and disk by an endpoint's instances, published as the model's role.

An instance is a process group of this machine, so its memory and disk are shares of this machine's.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.api import Json

NAMESPACE = "/aws/sagemaker/Endpoints"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Use:
    """Of one process group: seconds of processor time since its start, and bytes of memory now."""

    processor_s: float
    memory_bytes: int


class InstanceMetrics:
    """Measures process groups. Where the system has no /proc, it measures the disk alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before: dict[int, tuple[float, float]] = {}

    def measure(self, groups: list[int]) -> list[Json]:
        """The data of PutMetricData, without dimensions: of each group's leader, since the last call that named it."""
        now = time.monotonic()
        disk = shutil.disk_usage(self._folder)
        data = []
        before, self._before = self._before, {}
        for group in groups:
            data.append(_datum("DiskUtilization", 100 * disk.used / disk.total))
            used = use_of(group)
            if used is None:
                continue
            data.append(_datum("MemoryUtilization", 100 * used.memory_bytes / _memory_bytes()))
            self._before[group] = (now, used.processor_s)
            if group in before:
                began, processor_s = before[group]
                data.append(_datum("CPUUtilization", 100 * (used.processor_s - processor_s) / (now - began)))
        return data


def use_of(group: int) -> Use | None:
    """What the processes of a group use, None if there are none or the system has no /proc."""
    ticks, pages, found = 0, 0, False
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while it was looked at
        if int(fields[2]) == group:
            found = True
            ticks += int(fields[11]) + int(fields[12])
            pages += int(fields[21])
    if not found:
        return None
    return Use(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _datum(name: str, percent: float) -> Json:
    """A processor that is fully used is 100 percent, so several are more."""
    return {"MetricName": name, "Value": percent, "Unit": "Percent"}
