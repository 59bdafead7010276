"""Real processes, supervised: started together, watched together, and none left behind.

    with ProcessGroup(log_dir) as group:
        server = group.start("server", [sys.executable, "-m", "inference.server", ...])
        group.wait_until(lambda: in_service(url), what="the server answers /ping", timeout_s=60)
        ...

Leaving the block ends every child: after success, on an exception, on Ctrl-C. If this process is itself killed,
`leash.py` ends them.
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

from rehearsal.reaper import Leash

POLL_S = 0.02
LAST_LINES = 15


class ProcessFailedError(RuntimeError):
    """A child ended when it should not have, or did not get ready in time. The message is for the user to read."""


def free_port() -> int:
    """A TCP port on the loopback interface that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One supervised process, leader of its own session; standard output and error go to `log`."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], log: Path, on_line: Callable[[str], None] | None
    ) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._on_line = on_line
        self._forwarded = 0
        self.ended_by_us = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal, as in `subprocess`."""
        if self._process.returncode is None and self._process.poll() is not None:
            self.signal(signal.SIGKILL)  # what it started and left behind
        return self._process.returncode

    @property
    def failed_by_itself(self) -> bool:
        """Whether it ended with an error before we ended it."""
        return bool(self.exit_code()) and not self.ended_by_us

    def signal(self, number: int) -> None:
        """Send a signal to the child and to whatever it has started in its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end; False if it still runs after `timeout_s` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.exit_code() is not None

    def forward_lines(self) -> None:
        """Hand the complete log lines that are new since the last call to the `on_line` callback."""
        if self._on_line is None:
            return
        with self.log.open("rb") as log:
            log.seek(self._forwarded)
            new = log.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._forwarded += len(complete)
        for line in complete.decode(errors="replace").splitlines():
            self._on_line(line)

    def last_lines(self, count: int = LAST_LINES) -> str:
        """The end of its output, indented, with the name of the log file above."""
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
def _signals_held_back() -> Iterator[None]:
    """Ctrl-C and a request to end wait until the block is done.

    Python's own handlers are swapped, not the signal mask: a child would inherit the mask.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals interrupt the main thread only
        return
    came: list[int] = []
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    held = {number: handler for number, handler in usual.items() if callable(handler)}
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class ProcessGroup:
    """Children that live and die together.

    log_dir: one `<name>.log` for each child is written here.
    grace_s: seconds between SIGTERM and SIGKILL when the children are ended.
    """

    def __init__(self, log_dir: Path, *, grace_s: float = 5.0) -> None:
        self._log_dir = log_dir
        self._grace_s = grace_s
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._leash = Leash()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.end(*self._children)
        finally:
            self._leash.close()  # it ends whatever a second Ctrl-C left

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Child:
        """Start a child. `env` replaces this process's environment; `on_line` gets its log lines during the waits.

        Raises ProcessFailedError if the command cannot be started at all.
        """
        log = self._log_dir / f"{name}.log"
        environment = {**(os.environ if env is None else env), "PYTHONUNBUFFERED": "1"}
        with _signals_held_back():  # between the start and the note of it, nothing may get in
            with log.open("wb") as output:
                try:
                    process = subprocess.Popen(
                        list(command),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        cwd=cwd,
                        start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we end them in order
                    )
                except OSError as error:
                    raise ProcessFailedError(f"{name} could not be started with `{command[0]}`: {error}.") from error
            self._leash.hold(process.pid)
            child = Child(name, process, log, on_line)
            self._children.append(child)
            return child

    def wait_until(self, ready: Callable[[], bool], *, what: str, timeout_s: float) -> None:
        """Poll `ready` until it is true. `what` finishes the sentence "... waited for <what>".

        Raises ProcessFailedError as soon as a child ends, or after `timeout_s` seconds.
        """
        end = time.monotonic() + timeout_s
        while not ready():
            self._forward()
            for child in self._children:
                if child.exit_code() is not None:
                    ended = f"{child.name} ended with {child.how_it_ended()}"
                    raise ProcessFailedError(f"{ended} while we waited for {what}. {child.last_lines()}")
            if time.monotonic() > end:
                told = "\n".join(f"{child.name}: {child.last_lines()}" for child in self._children)
                raise ProcessFailedError(f"Waited {timeout_s:g} s for {what}, in vain.\n{told}")
            time.sleep(POLL_S)
        self._forward()

    def wait(self, *, timeout_s: float) -> None:
        """Wait until every child has ended with 0.

        The first child to fail ends the others, as on SageMaker, and raises ProcessFailedError; so does the time limit.
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
        """End these children now, SIGTERM first, and forget them."""
        running = [child for child in children if child.exit_code() is None]
        try:
            for child in running:
                child.ended_by_us = True
                child.signal(signal.SIGTERM)
            last = time.monotonic() + self._grace_s
            for child in running:
                child.wait(max(0.0, last - time.monotonic()))
        finally:
            for child in children:
                if child.exit_code() is None:
                    child.signal(signal.SIGKILL)
                    child.wait(self._grace_s)
                self._leash.release(child.pid)
            self._children = [child for child in self._children if child not in children]

    def _forward(self) -> None:
        for child in self._children:
            child.forward_lines()
