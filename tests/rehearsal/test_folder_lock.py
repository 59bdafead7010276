"""Two rehearsals in one folder: the second one says who holds it, and a process that was killed holds nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.rehearse.errors import RehearsalError
from ops.rehearse.folder_lock import locked

HOLD = """
import sys, time
from pathlib import Path
from ops.rehearse.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_rehearsal_is_refused_with_a_sentence_and_works_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "rehearsal"
    with holder(folder) as process:
        try:
            with (
                pytest.raises(RehearsalError, match=rf"\(process {process.pid}\) uses the folder {folder}\. Wait"),
                locked(folder),
            ):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    with locked(folder):
        pass


def test_rehearsals_in_two_folders_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with locked(tmp_path / "a"), locked(tmp_path / "b"):
        pass


def test_a_rehearsal_that_failed_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass
