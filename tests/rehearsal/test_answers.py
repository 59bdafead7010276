"""The answers of a rehearsal, as they are printed."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ops.rehearse.answers import show
from ops.rehearse.plan import Plan
from ops.views.contact_sheet import Answer
from tests.builders import any_photo


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_milliseconds_are_printed_on_a_terminal_of_any_width(columns: int, tmp_path: Path) -> None:
    photo = tmp_path / "Golden_retriever_00001.jpg"
    photo.write_bytes(any_photo((120, 90, 60)))
    breeds = [("Golden_retriever", 0.7), ("Siberian_husky", 0.2), ("Border_collie", 0.1)]
    answer = Answer(photo=photo, true_label="Golden_retriever", predictions=breeds, milliseconds=1234.0)
    printed = io.StringIO()
    show([answer], Plan(folder=tmp_path), Console(file=printed, width=columns), report=None, model=tmp_path)

    (row,) = [line for line in printed.getvalue().splitlines() if "70%" in line]
    assert row.split()[-1] == "1234"
    assert len(row) <= columns
