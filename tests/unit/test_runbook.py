"""Every entry of the runbook answers the same five questions, in the same order."""

import re
from pathlib import Path

import pytest

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text()
LABELS = ["You see", "First command", "Cause", "Fix", "Resolved when"]
INCIDENTS = ["Alerts", "Failed deploys"]
"""The sections whose entries are incidents. The others are procedures."""


def entries() -> dict[str, str]:
    """Text of each incident by its heading."""
    sections = dict(re.findall(r"^# (.+?)\n(.*?)(?=^# |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
    texts = "".join(sections[name] for name in INCIDENTS)
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", texts, re.MULTILINE | re.DOTALL))


def test_both_sections_of_incidents_are_read() -> None:
    assert {"The endpoint is slow", "Quota errors"} <= set(entries())


@pytest.mark.parametrize("heading", entries())
def test_an_entry_gives_symptom_command_cause_fix_and_end(heading: str) -> None:
    assert re.findall(r"^- \*\*(.+?):\*\*", entries()[heading], re.MULTILINE) == LABELS


@pytest.mark.parametrize("heading", entries())
def test_the_first_command_can_be_copied(heading: str) -> None:
    (command,) = re.findall(r"^- \*\*First command:\*\*\s+`([^`]+)`", entries()[heading], re.MULTILINE)
    assert command.split()[0] == "kennel"
