"""`make bench-lambda` runs to its end, and with few calls it meets each goal that is no time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.function_time import quantile
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
FEW = ["--rounds", "1", "--calls", "3", "--load", "80", "--faults", "8", "--throttled", "400"]
OF_TIME = re.compile("start by|own time")


@pytest.mark.slow
def test_every_part_runs_and_meets_its_goals() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.function", *FEW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    goals = [line for line in ran.stdout.splitlines() if "goal:" in line]

    assert len(goals) > 20
    assert [line for line in goals if "MISSED" in line and not OF_TIME.search(line)] == []


def test_a_quantile_is_a_measured_value() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(100), 0.99) == 99
    assert quantile([7], 0.99) == 7
