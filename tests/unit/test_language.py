"""Phrases that are German in English words. CONTRIBUTING.md has the rule: a reader understands each sentence once."""

import ast
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

NAMES = {
    "anyone": "any_rank, or barrier",
    "claim": "check_writable, declare",
    "doomed": "jobs_to_stop",
    "guess": "prediction",
    "guesses": "predictions",
    "guilty": "root_cause",
    "innocent": "peer",
    "judged": "evaluated",
    "judgement": "EvalResult",
    "leash": "reaper",
    "learn": "train_step",
    "lettering": "text",
    "material": "batches",
    "prove": "verify",
    "refusals": "errors",
    "stranger": "untracked",
    "strangers": "untracked",
    "twin": "near_duplicate",
    "twins": "near_duplicates",
}
"""Words of names that no one else in the field uses, and a better word for each. `learning_rate` has none of them."""

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


def names() -> list[tuple[str, str]]:
    """Place and name of each module, function, class, argument, variable and attribute that the Python code defines."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = []
    for path in filter(Path.is_file, map(ROOT.joinpath, listed.splitlines())):
        place = str(path.relative_to(ROOT))
        found.append((place, path.stem))
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.append((f"{place}:{node.lineno}", name))
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.append((f"{place}:{node.lineno}", name))
    return found


def words_of(name: str) -> set[str]:
    """`PhotoMaterial` has photo and material, `learning_rate` has learning and rate."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_name_has_a_word_that_only_this_project_uses() -> None:
    found = [(place, name) for place, name in names() if words_of(name) & NAMES.keys()]

    assert [
        f"{place}: {name}: {', '.join(NAMES[word] for word in words_of(name) & NAMES.keys())}" for place, name in found
    ] == []


@pytest.mark.parametrize(
    ("name", "words"), [("PhotoMaterial", {"photo", "material"}), ("learning_rate", {"learning", "rate"})]
)
def test_a_name_is_split_into_its_words(name: str, words: set[str]) -> None:
    assert words_of(name) == words


def test_every_folder_is_read() -> None:
    folders = {place.partition("/")[0] for place, _ in LINES}
    assert {"contract", "docs", "inference", "lambda_fn", "ops", "rehearsal", "stacks", "tests", "training"} <= folders


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_line_has_the_phrase(phrase: str) -> None:
    found = [f"{place}: {line.strip()}" for place, line in LINES if re.search(rf"\b{phrase}\b", line, re.IGNORECASE)]
    assert not found, f"write {PHRASES[phrase]!r} instead, in\n" + "\n".join(found)
