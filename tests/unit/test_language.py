"""Phrases that are German in English words. CONTRIBUTING.md has the rule: a reader understands each sentence once."""

import re
import subprocess
from pathlib import Path

import pytest

THIS = Path(__file__).resolve()
ROOT = THIS.parents[2]
PHRASES = {
    "anew": "again",
    "for ever": "forever, or without limit",
    "in vain": "the failure, such as: timed out",
    "(innocent|guilty)": "peer, root cause",
    "doomed": "the action, such as: to stop",
    "mend(s|ed)?": "fix, repair, correct",
    '(?<!")nobody(?!")': "no caller, no user",  # in quotes it is the Unix user
    "of ours": "Kennel's",
    "knows? (no|nothing)": "has no, does not support, does not import",
    "gives? way": "is dropped, is closed",
    "(is|are|was|were) told": "gets, reads",
    "so many (a|an|in)": "the number of ... for each",
    "without a word": "silently, without an error message",
    "whoever": "a caller who, a user who",
}
"""Phrase, as a regular expression, and what to write instead."""

QUOTED = "CONTRIBUTING.md"
"""Has a table of sentences to avoid, each line of which begins with a bar."""


def lines() -> list[tuple[str, str]]:
    """Place and text of each line of the repository's own prose and code."""
    command = ["git", "ls-files", "*.py", "*.md", "*.sh", "*.toml", "*.html", "*.ipynb", "Makefile", "*/Dockerfile"]
    paths = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [
        (f"{path}:{number}", line)
        for path in paths
        if (ROOT / path).is_file() and ROOT / path != THIS
        for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1)
        if not (path == QUOTED and line.startswith("|"))
    ]


LINES = lines()


def test_every_folder_is_read() -> None:
    folders = {place.partition("/")[0] for place, _ in LINES}
    assert {"contract", "docs", "inference", "lambda_fn", "ops", "rehearsal", "stacks", "tests", "training"} <= folders


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_line_has_the_phrase(phrase: str) -> None:
    found = [f"{place}: {line.strip()}" for place, line in LINES if re.search(rf"\b{phrase}\b", line, re.IGNORECASE)]
    assert not found, f"write {PHRASES[phrase]!r} instead, in\n" + "\n".join(found)
