"""What the tests of ended processes use to find out that a process has ended."""

import os
import subprocess
import sys

import pytest

from tests.rehearsal.still_running import is_running


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_a_process_that_has_ended_is_not_running(ended: int) -> None:
    assert not is_running(ended)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_ends_between_two_looks_is_not_running(ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: None)  # it still ran at the first look

    assert not is_running(ended)


def test_this_process_is_running() -> None:
    assert is_running(os.getpid())
