"""The number of cores that a process may use. Without torch, because the data commands run without it."""

import os

from inference.cores import usable_cores


def cores() -> int:
    """Number of cores for this process: the host's, divided by its number of processes."""
    return max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
