"""A group of child processes that is started, monitored and ended together.

    with ProcessGroup(log_dir) as group:
        server = group.start("server", [sys.executable, "-m", "inference.server", ...])
        group.wait_until(lambda: in_service(url), what="the server answers /ping", timeout_s=60)
        ...

The end of the block ends every child: after success, an exception or Ctrl-C. If this process itself is killed,
`reaper.py` ends them.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.reaper import Reaper

POLL_S = 0.02
LAST_LINES = 15


class ProcessFailedError(RuntimeError):
    """A child ended too early or was not ready in time. The message is for the user."""


def free_port() -> int:
    """A TCP port on the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One child process in a session of its own. Its standard output and error go to `log`."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], log: Path, on_line: Callable[[str], None] | None
    ) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._on_line = on_line
        self._forwarded = 0
        self.ended_by_owner = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it, as in `subprocess`."""
        if self._process.returncode is None and self._process.poll() is not None:
            self.signal(signal.SIGKILL)  # ends processes that it started and that still run
        return self._process.returncode

    @property
    def failed_by_itself(self) -> bool:
        """Whether it ended with an error, and not because its owner ended it."""
        return bool(self.exit_code()) and not self.ended_by_owner

    def signal(self, number: int) -> None:
        """Send a signal to the child and to every process in its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end. Returns False if it still runs after `timeout_s` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.exit_code() is not None

    def join(self) -> None:
        """Wait for its end, without polling."""
        self._process.wait()
        self.signal(signal.SIGKILL)  # ends processes that it started and that still run

    def forward_lines(self, *, ended: bool = False) -> None:
        """Call `on_line` with each complete log line since the last call; with `ended`, with an incomplete one too."""
        if self._on_line is None:
            return
        with self.log.open("rb") as log:
            log.seek(self._forwarded)
            new = log.read()
        complete = new if ended else new[: new.rfind(b"\n") + 1]
        self._forwarded += len(complete)
        for line in complete.decode(errors="replace").splitlines():
            self._on_line(line)

    def last_lines(self, count: int = LAST_LINES) -> str:
        """The last lines of its output, indented, after the name of the log file."""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        shown = "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"
        return f"Its last lines ({self.log}):\n{shown}"

    def how_it_ended(self) -> str:
        """`exit code 1`, or the name of the signal."""
        code = self.exit_code()
        if code is None or code >= 0:
            return f"exit code {code}"
        hint = " (often the sign of too little memory)" if -code == signal.SIGKILL else ""
        return f"signal {signal.Signals(-code).name}{hint}"


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP take effect only at the end of the block.

    It replaces the Python handlers and not the signal mask, which a child would inherit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted by signals
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    replaced = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in replaced:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


class ProcessGroup:
    """Child processes with one lifetime.

    log_dir: the output of each child goes to `<name>.log` in this folder.
    grace_s: seconds between SIGTERM and SIGKILL when children are ended.
    """

    def __init__(self, log_dir: Path, *, grace_s: float = 5.0) -> None:
        self._log_dir = log_dir
        self._grace_s = grace_s
        self._children: list[Child] = []
        self._over = False
        self._lock = threading.Lock()  # children are started and ended by several threads

    def __enter__(self) -> Self:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._over = False
        self._reaper = Reaper()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True  # a child that another thread starts from now on would outlive the group
            children = list(self._children)
        try:
            self.end(*children)
        finally:
            self._reaper.close()  # ends the children that a second Ctrl-C left running

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Child:
        """Start a child. `env` replaces this process's environment; the wait methods call `on_line` with its log lines.

        Raises ProcessFailedError if the command cannot be started, or if the block has ended.
        """
        log = self._log_dir / f"{name}.log"
        environment = {**(os.environ if env is None else env), "PYTHONUNBUFFERED": "1"}
        with _signals_deferred(), self._lock:  # an interrupt after Popen and before `watch` would leave it running
            if self._over:
                raise ProcessFailedError(f"{name} was not started, because its group has ended.")
            with log.open("wb") as output:
                try:
                    process = subprocess.Popen(
                        list(command),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        cwd=cwd,
                        start_new_session=True,  # Ctrl-C in the terminal reaches only the owner; it ends the children
                    )
                except OSError as error:
                    raise ProcessFailedError(f"{name} could not be started with `{command[0]}`: {error}.") from error
            child = Child(name, process, log, on_line)
            self._reaper.watch(process.pid)
            self._children.append(child)
            return child

    def wait_until(self, ready: Callable[[], bool], *, what: str, timeout_s: float) -> None:
        """Poll `ready` until it returns True. `what` completes the error message "... while waiting for <what>".

        Raises ProcessFailedError as soon as a child ends, or after `timeout_s` seconds.
        """
        end = time.monotonic() + timeout_s
        while not ready():
            self._forward()
            for child in self._children:
                if child.exit_code() is not None:
                    ended = f"{child.name} ended with {child.how_it_ended()}"
                    raise ProcessFailedError(f"{ended} while waiting for {what}. {child.last_lines()}")
            if time.monotonic() > end:
                output = "\n".join(f"{child.name}: {child.last_lines()}" for child in self._children)
                raise ProcessFailedError(f"Timed out after {timeout_s:g} s while waiting for {what}.\n{output}")
            time.sleep(POLL_S)
        self._forward()

    def wait(self, *, timeout_s: float) -> None:
        """Wait until every child has ended with exit code 0.

        When one child fails, or after `timeout_s` seconds, ends all children and raises ProcessFailedError.
        """
        end = time.monotonic() + timeout_s
        while True:
            self._forward()
            codes = [child.exit_code() for child in self._children]
            failed = [child for child, code in zip(self._children, codes, strict=True) if code]
            if failed:
                self.end(*self._children)
                self._forward()
                names = " and ".join(f"{child.name} ended with {child.how_it_ended()}" for child in failed)
                raise ProcessFailedError(f"{names}. {failed[0].last_lines()}")
            if None not in codes:
                self._forward()
                return
            if time.monotonic() > end:
                running = [child for child, code in zip(self._children, codes, strict=True) if code is None]
                self.end(*self._children)
                raise ProcessFailedError(
                    f"{' and '.join(child.name for child in running)} did not end within {timeout_s:g} s. "
                    f"{running[0].last_lines()}"
                )
            time.sleep(POLL_S)

    def end(self, *children: Child) -> None:
        """End these children now, with SIGTERM first, and remove them from the group."""
        running = [child for child in children if child.exit_code() is None]
        try:
            for child in running:
                child.ended_by_owner = True
                child.signal(signal.SIGTERM)
            last = time.monotonic() + self._grace_s
            for child in running:
                child.wait(max(0.0, last - time.monotonic()))
        finally:
            for child in children:
                if child.exit_code() is None:
                    child.signal(signal.SIGKILL)
                    child.wait(self._grace_s)
            with self._lock:
                for child in children:
                    self._reaper.release(child.pid)
                self._children = [child for child in self._children if child not in children]

    def _forward(self) -> None:
        for child in self._children:
            child.forward_lines()
