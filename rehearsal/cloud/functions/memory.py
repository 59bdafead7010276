"""The memory of a function's processes.

Lambda's MemorySize is all that an execution environment may use: Linux ends a process that wants more. Here the limit
holds for the process's resident memory. It is compared with the limit every few milliseconds during a call, and at the
end of a call with the highest value that Linux has recorded for the process, so a short peak counts too. A limit of the
address space (RLIMIT_AS) would be another rule: threads and libraries reserve much more than they use.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MEASURED_EVERY_S = 0.01


def peak_mib(pid: int) -> int:
    """The highest resident memory of a process so far, in MiB. 0 if the process is gone, or where Linux's /proc is not.

    https://docs.kernel.org/filesystems/proc.html, VmHWM
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return -(-int(line.split()[1]) // 1024)
    return 0


class MemoryWatch:
    """Ends processes whose memory exceeds a limit, while they are watched."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[int, Callable[[], None]]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True, name="memory").start()

    @contextlib.contextmanager
    def limit(self, pid: int, mib: int, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` once if the process exceeds the limit within the block."""
        with self._changed:
            self._watched[pid] = (mib, end)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(pid, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._watched)
                watched = dict(self._watched)
            for pid, (mib, end) in watched.items():
                if peak_mib(pid) > mib:
                    with self._changed:
                        still_watched = self._watched.pop(pid, None)
                    if still_watched:
                        end()
            time.sleep(MEASURED_EVERY_S)
