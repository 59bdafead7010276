"""mypy reads the services of aws-cdk-lib that Kennel imports, and skips the others: most of its time went into them."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PYPROJECT = (REPOSITORY / "pyproject.toml").read_text()
MYPY = tomllib.loads(PYPROJECT)["tool"]["mypy"]
INTERFACES = "aws_cdk.interfaces.*"
"""Which services use to refer to each other's resources; the sources do not import them."""


def of_cdk(follow_imports: str) -> list[str]:
    """The modules of aws-cdk-lib with this option."""
    overrides: list[dict[str, Any]] = MYPY["overrides"]
    chosen = [each["module"] for each in overrides if each.get("follow_imports") == follow_imports]
    return [module for modules in chosen for module in modules if module.startswith("aws_cdk")]


def is_module(name: str) -> bool:
    """Whether aws-cdk-lib has this module, without a start of its JavaScript program."""
    found = find_spec("aws_cdk")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


def names(source: str) -> Iterator[str]:
    """Each name that the source imports, with its module's."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def sources() -> Iterator[str]:
    for name in MYPY["files"]:
        path = REPOSITORY / name
        for file in [path] if path.is_file() else path.rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "aws_cdk" in text:
                yield text


def test_mypy_reads_each_service_that_is_imported_and_no_other() -> None:
    found = {name for source in sources() for name in names(source) if name.partition(".")[0] == "aws_cdk"}
    assert of_cdk("skip") == ["aws_cdk.*"]
    assert of_cdk("normal") == sorted({INTERFACES, *filter(is_module, found)})


@pytest.mark.slow
def test_mypy_finds_nothing_with_the_types_of_every_service(tmp_path: Path) -> None:
    every = tmp_path / "pyproject.toml"
    every.write_text(PYPROJECT.replace('follow_imports = "skip"', 'follow_imports = "normal"'))
    command = [sys.executable, "-m", "mypy", "--config-file", str(every), "--cache-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
