"""Child processes: their failures become sentences, and none outlives its group."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes import ProcessFailedError, ProcessGroup, free_port
from rehearsal.reaper import Reaper
from tests.patience import PATIENCE_S
from tests.rehearsal.still_running import gone_in_time, is_running, orphans_of

WAITS = "import signal; signal.pause()"
IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)
PARENT = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); print(p.pid); p.wait()"

OWNER = """
import sys
from pathlib import Path
from rehearsal.processes import ProcessGroup

with ProcessGroup(Path(sys.argv[1])) as group:
    child = group.start("child", [sys.executable, "-c", sys.argv[2], sys.argv[3]])
    group.wait_until(lambda: child.log.read_text().endswith("\\n"), what="the grandchild", timeout_s=300)
    print(child.pid, child.log.read_text().strip(), flush=True)
    group.wait(timeout_s=300)
"""


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


@pytest.fixture
def group(tmp_path: Path) -> ProcessGroup:
    return ProcessGroup(tmp_path / "logs")


def test_children_that_succeed_are_waited_for(group: ProcessGroup) -> None:
    with group:
        children = [group.start(name, python("print('done')")) for name in ("one", "two")]
        group.wait(timeout_s=PATIENCE_S)

        assert [child.exit_code() for child in children] == [0, 0]
        assert children[0].log.read_text() == "done\n"


def test_the_error_for_a_child_that_ends_early_shows_its_last_lines(group: ProcessGroup) -> None:
    with group:
        group.start("server", python("raise SystemExit('no model in this folder')"))
        with pytest.raises(ProcessFailedError) as caught:
            group.wait_until(lambda: False, what="the server to answer", timeout_s=PATIENCE_S)

    message = str(caught.value)
    assert "server ended with exit code 1 while waiting for the server to answer" in message
    assert "no model in this folder" in message
    assert "server.log" in message


def test_a_command_that_does_not_exist_is_named(group: ProcessGroup) -> None:
    with group, pytest.raises(ProcessFailedError, match=r"server could not be started with `/no/such/program`"):
        group.start("server", ["/no/such/program"])


def test_a_child_that_is_not_ready_in_time_is_an_error(group: ProcessGroup) -> None:
    with group:
        group.start("server", python(WAITS))
        with pytest.raises(ProcessFailedError, match=r"Timed out after 0\.1 s while waiting for the server to answer"):
            group.wait_until(lambda: False, what="the server to answer", timeout_s=0.1)


def test_the_first_failure_ends_the_others(group: ProcessGroup) -> None:
    with group:
        other = group.start("peer", python(WAITS))
        group.start("failing", python("raise SystemExit(3)"))
        with pytest.raises(ProcessFailedError, match="failing ended with exit code 3"):
            group.wait(timeout_s=PATIENCE_S)

        assert not is_running(other.pid)
        assert not other.failed_by_itself


def test_a_grandchild_that_outlives_its_parent_is_ended(group: ProcessGroup) -> None:
    leaves = PARENT.replace("p.wait()", "")
    with group:
        child = group.start("parent", python(leaves, WAITS))
        group.wait(timeout_s=PATIENCE_S)

        assert gone_in_time([int(child.log.read_text())])


def test_a_child_that_is_too_slow_is_ended(group: ProcessGroup) -> None:
    with group:
        child = group.start("slow", python(WAITS))
        with pytest.raises(ProcessFailedError, match=r"slow did not end within 0\.1 s"):
            group.wait(timeout_s=0.1)

        assert not is_running(child.pid)


def test_the_error_names_the_signal_that_killed_a_child(group: ProcessGroup) -> None:
    with group:
        child = group.start("killed", python(WAITS))
        child.signal(signal.SIGKILL)
        with pytest.raises(ProcessFailedError, match=r"signal SIGKILL \(often the sign of too little memory\)"):
            group.wait(timeout_s=PATIENCE_S)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path, grace_s=0.1) as group:
        child = group.start("stubborn", python(IGNORES_SIGTERM))
        group.wait_until(lambda: "ready" in child.log.read_text(), what="its handler", timeout_s=PATIENCE_S)

    assert not is_running(child.pid)
    assert child.exit_code() == -signal.SIGKILL


def test_log_lines_are_forwarded_complete_and_in_order(group: ProcessGroup) -> None:
    lines: list[str] = []
    with group:
        group.start("child", python("for i in range(3000): print('line', i)"), on_line=lines.append)
        group.wait(timeout_s=PATIENCE_S)

    assert lines == [f"line {number}" for number in range(3000)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_of_the_owner_does_not_keep_the_reaper_waiting() -> None:
    reaper = Reaper()
    child = multiprocessing.get_context("fork").Process(target=signal.pause)
    child.start()
    try:
        closing = threading.Thread(target=reaper.close, daemon=True)
        closing.start()
        closing.join(PATIENCE_S)
        assert not closing.is_alive()
        assert child.is_alive()
    finally:
        child.kill()
        child.join()


def test_an_exception_in_the_block_ends_the_children(group: ProcessGroup) -> None:
    pids = []
    with pytest.raises(ZeroDivisionError), group:  # noqa: PT012
        pids = [group.start(name, python(WAITS)).pid for name in ("one", "two")]
        raise ZeroDivisionError

    assert len(pids) == 2
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_or_grandchild_outlives_an_interrupted_owner(tmp_path: Path, how: signal.Signals) -> None:
    pids = orphans_of(OWNER, str(tmp_path), PARENT, WAITS, how=how)

    assert len(pids) == 2
    assert gone_in_time(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_a_start_leaves_no_child(
    number: signal.Signals, group: ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class InterruptedPopen(subprocess.Popen[bytes]):
        """Interrupts when the child runs and the group does not know it yet."""

        def __init__(self, command: list[str], **options: Any) -> None:
            super().__init__(command, **options)
            started.append(self.pid)
            signal.raise_signal(number)

    def owner() -> None:
        with group:
            monkeypatch.setattr(subprocess, "Popen", InterruptedPopen)
            group.start("child", python(WAITS))

    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            owner()
    finally:
        signal.signal(signal.SIGTERM, before)

    assert len(started) == 1
    assert not is_running(started[0])


def test_no_child_is_started_after_the_end(group: ProcessGroup) -> None:
    """A thread that replaces a child which the end of the group ended would leave the new one behind."""
    with group:
        pass

    with pytest.raises(ProcessFailedError, match="late was not started, because its group has ended"):
        group.start("late", python(WAITS))


def test_a_child_can_be_ended_after_the_end(group: ProcessGroup) -> None:
    with group:
        child = group.start("child", python(WAITS))

    group.end(child)

    assert child.exit_code() is not None


def test_a_free_port_is_free() -> None:
    assert 1024 <= free_port() < 65536
