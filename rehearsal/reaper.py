"""Ends process groups whose owner has died without ending them, even if the owner was killed.

The owner creates a `Reaper`, which runs this file as a script, in a session of its own, and writes the groups to its
standard input. If the script reads end of file while groups are left, the owner has died. Unlike PR_SET_PDEATHSIG
this also works on macOS, reaches grandchildren, and does not depend on the thread that started the child.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import weakref

GRACE_S = 5.0


class Reaper:
    """The owner's handle of the reaper process."""

    def __init__(self) -> None:
        _open.add(self)
        without_keys = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=without_keys,
        )

    def watch(self, group: int) -> None:
        """End this process group if the owner dies."""
        self._write(f"+{group}")

    def release(self, group: int) -> None:
        """Stop watching this group: its owner has ended it."""
        self._write(f"-{group}")

    def close(self) -> None:
        """End the groups that are still watched, and the reaper."""
        self._process.communicate()

    def forget(self) -> None:
        """In a forked child: let the pipe end with the owner. Otherwise it would stay open as long as the child."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._process.stdin.fileno())
            os.close(nothing)

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(
                BrokenPipeError, ValueError
            ):  # ValueError: it is closed, and its groups have ended
                print(line, file=self._process.stdin, flush=True)


_open: weakref.WeakSet[Reaper] = weakref.WeakSet()


def _in_forked_child() -> None:
    for reaper in _open:
        reaper.forget()


os.register_at_fork(after_in_child=_in_forked_child)


def _signal(groups: set[int], number: int) -> set[int]:
    """Send a signal to each group. Returns the groups that still exist."""
    alive = set()
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            alive.add(group)
    return alive


def _reap() -> None:
    """Read the owner's lines until it closes the pipe or dies, then end the groups that are left."""
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
