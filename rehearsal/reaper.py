"""Ends process groups whose owner has died, however it died: even killed, it leaves no child behind.

The owner holds a `Leash`; the other end of its pipe is this file, run as a script in a session of its own. End of file
with groups left means that the owner could not clean up. Unlike PR_SET_PDEATHSIG this also works on macOS, reaches
grandchildren, and does not fire when the thread that started the child ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

GRACE_S = 5.0


class Leash:
    """The owner's end."""

    def __init__(self) -> None:
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def hold(self, group: int) -> None:
        """End this process group if the owner dies."""
        self._tell(f"+{group}")

    def release(self, group: int) -> None:
        """Forget it: its owner has ended it."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """End whatever is still held."""
        self._reaper.communicate()

    def _tell(self, line: str) -> None:
        if self._reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                print(line, file=self._reaper.stdin, flush=True)


def _signal(groups: set[int], number: int) -> set[int]:
    """Signal each group and return those that still exist."""
    alive = set()
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            alive.add(group)
    return alive


def _reap() -> None:
    """Read the owner's lines until it closes the pipe or dies, then end the groups it still held."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    groups = _signal(groups, signal.SIGTERM)
    end = time.monotonic() + GRACE_S
    while groups and time.monotonic() < end:
        time.sleep(0.05)
        groups = _signal(groups, 0)
    _signal(groups, signal.SIGKILL)


if __name__ == "__main__":
    _reap()
