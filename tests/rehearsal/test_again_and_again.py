"""Rehearsals in a row: each of them ends well, and leaves nothing."""

from pathlib import Path

import pytest

from tests.builders import write_artifact
from tests.rehearsal.deployments import check_nothing_is_left, few_photos, rehearse

TIMES = 20


@pytest.mark.slow
def test_twenty_rehearsals_in_a_row_succeed_and_leave_nothing(tmp_path: Path) -> None:
    """Of a finished artifact, because a training is the same each time, and its hosts have tests of their own."""
    photos, model, folder = few_photos(tmp_path / "photos"), tmp_path / "model", tmp_path / "rehearsal"
    write_artifact(model)
    for number in range(1, TIMES + 1):
        run = rehearse(folder, "--data", str(photos), "--model", str(model), "--photos", "2")

        assert run.returncode == 0, f"rehearsal {number} of {TIMES}:\n{run.stdout}{run.stderr}"
        assert "2 held-out photos" in run.stdout
        check_nothing_is_left(folder, tmp_path / "tmp")
