"""Each name of the engine that rehearsal/cloud/engine/ uses exists, with the parameters that it had when it was read.

After an upgrade of the engine these tests say which names changed. Read the new source of each of them in
`.venv-engine`, correct rehearsal/cloud/engine/, and write tests/cloud/seams.json again:

    .venv/bin/python -m pytest tests/cloud/test_seams.py --update-golden
"""

import ast
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from rehearsal.cloud.environment import KEPT
from tests.cloud.engine_process import run_in_engine

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).parent / "seams.json"
ENGINE = ROOT / "rehearsal" / "cloud" / "engine"
SEAMS = ENGINE / "seams.py"
SIGNATURES = "import json; from rehearsal.cloud.engine import signatures; print(json.dumps(signatures()))"


def changed(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """One sentence that names each seam that differs, and says what to do. Empty if none does."""
    differing = [
        f"{name} is {found.get(name, 'not listed')} and was {expected.get(name, 'not listed')}"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]
    if not differing:
        return ""
    return (
        f"The engine changed where rehearsal/cloud/engine/ uses it ({'; '.join(differing)}): read these names in the "
        "new release, correct the code there, and run this test with --update-golden."
    )


def test_each_seam_exists_with_its_parameters(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ended = run_in_engine(SIGNATURES, tmp_path)
    if ended.returncode:
        reason = ended.stderr.strip().splitlines()[-1]
        pytest.fail(
            f"The engine cannot be loaded ({reason}): correct the imports in rehearsal/cloud/engine/.", pytrace=False
        )
    found = json.loads(ended.stdout)
    if request.config.getoption("--update-golden"):
        TABLE.write_text(json.dumps(found, indent=2) + "\n")

    sentence = changed(json.loads(TABLE.read_text()), found)

    if sentence:
        pytest.fail(sentence, pytrace=False)


def test_a_renamed_seam_is_found(tmp_path: Path) -> None:
    """As an upgrade would: the name is gone from the engine's module before the seams are read."""
    renamed = "from ministack.services import sts; del sts.register_session; import rehearsal.cloud.engine; "
    ended = run_in_engine(renamed + SIGNATURES, tmp_path)

    assert json.loads(ended.stdout)["services.sts.register_session"] == "missing"


def test_a_changed_seam_is_one_sentence_that_names_it_and_says_what_to_do() -> None:
    expected = {"app.main": "()", "services.sts.register_session": "(access_key, session)"}

    sentence = changed(expected, {"app.main": "()", "services.sts.register_session": "missing"})

    assert "services.sts.register_session is missing and was (access_key, session)" in sentence
    assert "app.main" not in sentence
    assert "correct the code there" in sentence
    assert sentence.count(". ") == 0
    assert changed(expected, expected) == ""


def engine_names(path: Path) -> set[str]:
    """The names below `ministack` that a module of rehearsal/cloud/engine/ reads or sets."""
    tree = ast.parse(path.read_text())
    modules = {
        alias.asname or alias.name: f"{node.module}.{alias.name}".removeprefix("ministack.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ministack"
        for alias in node.names
    }
    return {
        f"{modules[node.value.id]}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    }


def test_every_name_of_the_engine_that_is_used_is_a_seam() -> None:
    used = set().union(*(engine_names(path) for path in ENGINE.glob("*.py")))
    listed = {name.partition("[")[0] for name in json.loads(TABLE.read_text())}

    assert len(used) > 15
    assert used - listed == set(), f"add these names to SEAMS in {SEAMS}, then --update-golden"
    assert listed - used == set(), f"remove these names, which no code uses, from SEAMS in {SEAMS}"


def test_the_engine_is_imported_by_one_package_alone() -> None:
    importers = {
        path.parent
        for folder in ("rehearsal", "ops", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ministack")
        or (isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "ministack" for alias in node.names))
    }

    assert importers == {ENGINE}


UNREAD = """
import os
from pathlib import Path
import ministack

source = "".join(path.read_text() for path in Path(ministack.__file__).parent.rglob("*.py"))
print(*sorted(name for name in os.environ if f'"{name}"' not in source))
"""
OTHERS_READ = {"AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_REGION", "NODE_PATH", "PYTHONDONTWRITEBYTECODE"}
"""By botocore, Node.js and Python."""


def test_every_setting_is_read_by_the_engine(tmp_path: Path) -> None:
    """One that an upgrade renames would be ignored."""
    unread = set(run_in_engine(UNREAD, tmp_path).stdout.split())

    ours = unread - OTHERS_READ - {*KEPT, "PYTHONPATH"}
    assert ours == set(), "the engine does not read these settings: find their new names, for environment.py"


def test_the_pinned_release_the_lock_and_the_module_agree() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    locked = re.findall(r"^ministack==(\S+)", (ROOT / "locks" / "engine.txt").read_text(), re.MULTILINE)
    declared = re.findall(r'^VERSION = "(.+)"$', SEAMS.read_text(), re.MULTILINE)

    assert f"ministack=={declared[0]}" in groups["engine"]
    assert locked == declared


def test_the_installed_engine_is_the_pinned_release(tmp_path: Path) -> None:
    program = (
        "from importlib.metadata import version; from rehearsal.cloud.engine import VERSION; "
        "print(VERSION, version('ministack'))"
    )
    declared, installed = run_in_engine(program, tmp_path).stdout.split()

    assert installed == declared, "run `make setup`: .venv-engine has another release of the engine than seams.py names"
