"""The long files of tests start first, and the end of a run lists the longest."""

import random
import re
from pathlib import Path

from tests.order_of_files import LISTED, LONGEST_FIRST, longest, place

ROOT = Path(__file__).resolve().parents[2]


def test_each_listed_file_exists_and_is_listed_once() -> None:
    assert [path for path in LONGEST_FIRST if not (ROOT / path).is_file()] == []
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)


def test_the_long_files_come_first_and_the_order_of_the_others_stays() -> None:
    others = [f"tests/unit/test_{number}.py::test_it" for number in range(9)]
    tests = [*others, *(f"{path}::test_it[a::b]" for path in LONGEST_FIRST)]
    random.Random(1).shuffle(tests)
    ordered = sorted(tests, key=place)

    assert [test.partition("::")[0] for test in ordered[: len(LONGEST_FIRST)]] == list(LONGEST_FIRST)
    assert ordered[len(LONGEST_FIRST) :] == [test for test in tests if test in others]


def test_xdist_keeps_this_order() -> None:
    """It would otherwise begin with the files that have the most tests, which are short."""
    commands = re.findall(r"--dist loadfile.*", (ROOT / "Makefile").read_text())
    assert commands
    assert all("--no-loadscope-reorder" in command for command in commands)


def test_the_end_of_a_run_lists_the_longest_files() -> None:
    lines = longest({f"tests/unit/test_{number}.py": number / 2 for number in range(1, 40)})
    assert len(lines) == LISTED
    assert lines[0] == "  19.5 s  tests/unit/test_39.py"
    assert lines[-1] == "  15.0 s  tests/unit/test_30.py"
