"""Standard output and standard error that never block: a log that is not read does not stop the server.

A line is written at once where the system takes it, so that a crash loses none. Where it does not, lines wait for a
thread up to a limit; further ones are dropped and counted, and a later line has their number.
docs/decisions/0098 has the reasons.
"""

import atexit
import contextlib
import io
import json
import os
import select
import sys
import threading
from collections import deque

MOST_WAITING = 1024 * 1024
"""Bytes of lines that wait until they can be written."""

FLUSH_S = 1
"""How long the end of the process waits for them."""

_PIECE = min(select.PIPE_BUF, 4096)
"""Bytes of one write. A pipe that is ready for writing takes this number without blocking."""

_WRITING = threading.Lock()
"""Standard output and standard error may be one pipe: between "it is ready" and a write, no other write may come."""


class Output(io.TextIOBase):
    """A text stream to a file descriptor. `write` never waits. Safe to use from several threads at once."""

    def __init__(self, descriptor: int, most_waiting: int = MOST_WAITING) -> None:
        self._descriptor = descriptor
        # one that is ready for writing may still block, for example after Ctrl-S, so only the thread writes to it
        self._is_terminal = os.isatty(descriptor)
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._line = ""
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._torn = False
        threading.Thread(target=self._write_waiting, name=f"output {descriptor}", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Write the complete lines, and keep the rest until its end comes."""
        with self._changed:
            complete, end, self._line = (self._line + text).rpartition("\n")
            if end:
                self._add(complete + end)
        return len(text)

    def finish(self, timeout_s: float) -> None:
        """Write what remains, and wait at most `timeout_s` seconds for it."""
        with self._changed:
            if self._line:
                self._add(self._line + "\n")
                self._line = ""
            self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def _add(self, lines: str) -> None:
        block = lines.encode(errors="backslashreplace")
        if not self._waiting:
            self._report_lost()
        if not self._waiting and not self._lost and not self._is_terminal:
            block = self._written(block)
        if block and self._size + len(block) > self._most_waiting:
            self._lost += block.count(b"\n")
        elif block:
            self._waiting.append(block)
            self._size += len(block)
            self._changed.notify_all()

    def _report_lost(self) -> None:
        """Write how many lines have been dropped, if there are any and it can be written now."""
        if not self._lost or not self._is_ready():
            return
        lost, self._lost = self._lost, 0
        line = json.dumps({"event": "lines_lost", "lines": lost}).encode() + b"\n"
        line = b"\n" + line if self._torn else line
        if rest := line if self._is_terminal else self._written(line):
            self._waiting.appendleft(rest)
            self._size += len(rest)
            self._changed.notify_all()
        if self._lost:  # it was refused too
            self._lost = lost

    def _written(self, block: bytes) -> bytes:
        """Write as much as can be written now. Returns the rest. What the system refuses is dropped and counted."""
        while block:
            try:
                with contextlib.nullcontext() if self._is_terminal else _WRITING:
                    if not self._is_ready():
                        break
                    count = os.write(self._descriptor, block[:_PIECE])
            except BlockingIOError:
                break
            except OSError:  # the reader has closed the pipe, or the disk is full
                with self._changed:
                    self._lost += block.count(b"\n")
                return b""
            self._torn = not block[:count].endswith(b"\n")
            block = block[count:]
        return block

    def _is_ready(self, timeout_ms: int | None = 0) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(timeout_ms))

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                block = self._waiting[0]
            # without the lock: both may take until the end of the process. The block stays first meanwhile, so `write`
            # lets later lines wait.
            self._is_ready(None)
            rest = self._written(block)
            with self._changed:
                self._size -= len(block) - len(rest)
                if rest:
                    self._waiting[0] = rest
                else:
                    self._waiting.popleft()
                if not self._waiting:
                    self._report_lost()
                    self._changed.notify_all()


def use_for_standard_streams() -> None:
    """Replace sys.stdout and sys.stderr until the process ends: for the log, warnings and tracebacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # None where the process was started without it: its descriptor may be another file's. A stream that is not the
        # process's own is a test's.
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            output = Output(stream.fileno())
            setattr(sys, name, output)
            atexit.register(output.finish, FLUSH_S)
