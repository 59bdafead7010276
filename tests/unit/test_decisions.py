"""The decisions have one form, and what they name exists: files, tests, verbs of make, identifiers of the code."""

import functools
import re
import subprocess
from pathlib import Path

import pytest

THIS = Path(__file__).resolve()
ROOT = THIS.parents[2]
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))}
PARTS = ["Context", "Choice", "Consequence", "What would change it"]

FOREIGN = {
    "Gather",
    "LD_LIBRARY_PATH",
    "ModelTrainer",
    "fp16_compress_hook",
    "limit_concurrency",
    "pylock",
    "start_with_right_hostname",
}
"""Identifiers of other projects that no code of this one mentions."""


@functools.cache
def files() -> frozenset[str]:
    """Every file that git tracks or would add, and every folder that contains one. Relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    paths = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    existing = [Path(path) for path in paths if (ROOT / path).is_file()]
    return frozenset(str(path) for file in existing for path in (file, *file.parents))


@functools.cache
def words() -> frozenset[str]:
    """Every word of the code: sources, tests, scripts, and the templates that they make."""
    code = [ROOT / path for path in files() if re.search(r"\.(py|sh|json|toml|txt|html)$|file$", path)]
    return frozenset(word for path in code if path != THIS for word in re.findall(r"\w+", path.read_text()))


@functools.cache
def folders() -> re.Pattern[str]:
    """A path of this repository: it begins with one of the folders of the root, or is that of a module."""
    top = "|".join(re.escape(path) for path in files() if "/" not in path and (ROOT / path).is_dir() and path != ".")
    return re.compile(rf"({top})/|.*/.*\.py$")


@functools.cache
def all_tests() -> frozenset[str]:
    """The names of all tests, and of all files of tests."""
    return frozenset(word for word in words() if word.startswith("test_"))


def spans(page: str) -> list[str]:
    """The text between each pair of backticks."""
    return re.findall(r"`([^`]+)`", PAGES[page])


def test_the_folder_of_decisions_is_read() -> None:
    assert len(PAGES) > 30


@pytest.mark.parametrize("page", PAGES)
def test_a_decision_has_its_number_and_the_four_parts_in_order(page: str) -> None:
    first, *_ = PAGES[page].splitlines()
    assert re.match(rf"# {int(page[:4])}\. \S", first), f"{page} begins with {first!r}"
    found = re.findall(r"^\*\*([^*]+)\.\*\*", PAGES[page], re.MULTILINE)
    assert [part for part in found if part in PARTS] == PARTS


@pytest.mark.parametrize("page", PAGES)
def test_a_decision_has_one_line_in_the_index(page: str) -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    title = PAGES[page].splitlines()[0].removeprefix("# ")
    assert index.splitlines().count(f"- [{title}]({page})") == 1, f"add to its subject: - [{title}]({page})"


def test_the_index_lists_no_page_that_is_gone() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    assert set(re.findall(r"\]\(([^)]+)\)", index)) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_links_between_decisions_lead_to_a_page(page: str) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", PAGES[page])
    assert {name for name in linked if not name.startswith("https:")} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_a_decision_names_exist(page: str) -> None:
    named = [word for span in spans(page) for word in span.split() if folders().match(word)]
    assert [path for path in named if path.rstrip("/") not in files()] == []


@pytest.mark.parametrize("page", PAGES)
def test_identifiers_that_a_decision_names_are_in_the_code(page: str) -> None:
    named = [span for span in spans(page) if re.fullmatch(r"(?!test_)[A-Za-z_][\w.]*(\(\))?", span)]
    unknown = {word for name in named for word in re.findall(r"\w+", name)} - words() - FOREIGN
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_a_decision_names_exist(page: str) -> None:
    named = [span for span in spans(page) if re.fullmatch(r"test_\w+(\.\.\.)?", span)]
    missing = [name for name in named if not any(re.fullmatch(name.replace("...", ".*"), word) for word in all_tests())]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_verbs_of_make_that_a_decision_names_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = [span.split()[1] for span in spans(page) if span.startswith("make ")]
    assert [verb for verb in verbs if not re.search(rf"^([a-z-]+ )*{verb}( [a-z-]+)*:", makefile, re.MULTILINE)] == []
