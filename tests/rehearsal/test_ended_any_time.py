"""Ctrl-C and kill -9 at random moments of a rehearsal: nothing is left, and the next rehearsal works."""

import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.rehearsal.deployments import SHORT, check_nothing_is_left, few_photos, rehearse, started

pytestmark = pytest.mark.slow

TIMES = 8
LONGEST_S = 60
"""On two quiet cores a short rehearsal ends after about this time."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_rehearsal_that_is_ended_at_any_time_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    photos = few_photos(tmp_path / "photos")
    folder, temporary = tmp_path / "rehearsal", tmp_path / "tmp"
    moments = random.sample(range(1, 10 * LONGEST_S), TIMES)
    for moment in moments:
        with started(folder, "--data", str(photos), *SHORT) as run:
            try:
                printed, _ = run.communicate(timeout=moment / 10)
            except subprocess.TimeoutExpired:
                run.send_signal(number)
                printed, _ = run.communicate()
            assert run.returncode in (0, -number, 128 + number), f"after {moment / 10} s:\n{printed}"
            assert "Traceback" not in printed, f"after {moment / 10} s:\n{printed}"
        check_nothing_is_left(folder, temporary)

    last = rehearse(folder, "--data", str(photos), *SHORT)
    assert last.returncode == 0, last.stdout + last.stderr
