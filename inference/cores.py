"""The number of cores of this process. Only the standard library, because `kennel data upload` runs without NumPy."""

import os


def usable_cores() -> int:
    """The number of cores that this process may run on. Containers and taskset allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
