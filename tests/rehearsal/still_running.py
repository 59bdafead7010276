"""Find out whether processes still run, in particular after their owner was interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.patience import PATIENCE_S, wait_until


def is_running(pid: int) -> bool:
    """Whether a process runs. A zombie does not: it has ended, and its parent has not collected it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self").exists():
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def gone_in_time(pids: Iterable[int]) -> bool:
    """Whether all processes end within PATIENCE_S. Returns as soon as they have."""
    every = set(pids)
    return wait_until(lambda: not any(is_running(pid) for pid in every))


def orphans_of(program: str, *arguments: str, how: signal.Signals) -> list[int]:
    """Run a program that prints its children's process ids on one line, end it with a signal, and return the ids."""
    # A shell's background job inherits an ignored SIGINT, and Python then has no KeyboardInterrupt.
    interruptible = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + program
    with subprocess.Popen(
        [sys.executable, "-c", interruptible, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        try:
            assert owner.stdout is not None
            pids = [int(pid) for pid in owner.stdout.readline().split()]
            assert pids
            assert all(map(is_running, pids))
            owner.send_signal(how)
            assert owner.wait(PATIENCE_S) != 0
            return pids
        finally:
            owner.kill()
