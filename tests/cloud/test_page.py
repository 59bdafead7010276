"""docs/rehearsal.md: each rule that is emulated has a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rehearsal.md").read_text()
KINDS = {"real", "emulated", "recorded"}


def rows() -> list[list[str]]:
    """The cells of each row of the tables with four columns: what, kind, rule, tests."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what |")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if len(row) == 4]


@cache
def names_in(file: str) -> set[str]:
    """The names of a file's test functions. Empty if there is no such file."""
    path = ROOT / "tests" / file.removeprefix("tests/")
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_named_test_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)

    assert named
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_each_row_is_real_emulated_or_recorded() -> None:
    assert [row for row in rows() if row[1] not in KINDS] == []


def test_each_emulated_rule_names_a_test() -> None:
    emulated = [row for row in rows() if row[1] == "emulated"]

    assert emulated
    assert [row[0] for row in emulated if not re.search(r"`[\w/]+\.py::\w+`", row[3])] == []
