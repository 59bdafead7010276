"""`make setup` installs each package once, from one lock."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.audit.packages.locks import LOCKS
from tests.packages import planned

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
GROUPS: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
INSTALLED = set(re.findall(r"\.installed-([a-z]+)", MAKEFILE))
"""The groups that a verb of the Makefile needs."""
LOCKED = {
    name: set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "locks" / f"{name}.txt").read_text(), re.MULTILINE))
    for name in (
        "kennel",
        "uv",
        "audit",
        "advisories",
        "links",
        "engine",
        "sagemaker-sdk",
        "toolkit",
        "reference-serving",
    )
}


def included(group: str) -> set[str]:
    """The groups that a group includes, directly or not."""
    direct = {entry["include-group"] for entry in GROUPS[group] if isinstance(entry, dict)}
    return direct.union(*(included(other) for other in direct))


def packages(group: str) -> set[str]:
    """Names of the packages that a group and its included groups require."""
    own = {re.match(r"[A-Za-z0-9-]+", entry) for entry in GROUPS[group] if isinstance(entry, str)}
    return {found[0].lower() for found in own if found}.union(*(packages(other) for other in included(group)))


@pytest.mark.parametrize("group", sorted(INSTALLED))
def test_a_group_that_was_installed_as_part_of_another_is_not_installed_again(group: str) -> None:
    found = re.search(rf"^INCLUDED_{group} := (.*)$", MAKEFILE, re.MULTILINE)
    assert set(found[1].split() if found else []) == included(group) & INSTALLED


@pytest.mark.parametrize("group", sorted(INSTALLED | {"train", "serve"}))
def test_the_lock_has_each_package_of_each_group_of_the_environment(group: str) -> None:
    assert packages(group) <= LOCKED["kennel"]


@pytest.mark.parametrize(
    "group", ["uv", "audit", "advisories", "links", "engine", "sagemaker-sdk", "toolkit", "reference-serving"]
)
def test_the_other_groups_have_locks_of_their_own(group: str) -> None:
    assert packages(group) <= LOCKED[group]


def test_each_lock_that_make_lock_writes_is_checked_for_advisories() -> None:
    written = set(re.findall(r"compile [a-z-]+ (\S+\.txt)", MAKEFILE))

    assert len(written) > 5
    assert written == set(LOCKS)


def test_setup_installs_the_engine_of_the_local_aws_from_its_lock() -> None:
    setup = planned("make setup")

    assert "-m venv .venv-engine" in setup
    assert "--python .venv-engine/bin/python" in setup
    assert "--require-hashes --requirement locks/engine.txt" in setup
    assert "npm ci --prefix rehearsal/cloud/node" in setup


def test_setup_installs_the_browser_of_the_page_from_its_lock_and_a_deploy_does_not() -> None:
    assert "npm ci --prefix tests/page --ignore-scripts" in planned("make setup")
    assert "tests/page" not in planned("make deploy")


def test_each_verb_is_listed_with_a_sentence() -> None:
    verbs = {verb for line in re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE) for verb in line.split()}
    listed = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert verbs == listed
