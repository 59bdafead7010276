"""The packages that make installs for a verb, taken from this environment: no network."""

import importlib.metadata
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]


def planned(line: str, folder: Path = ROOT) -> str:
    """What make would run in a new clone for a line of README. folder: that of the Makefile."""
    arguments = ["make", "--dry-run", "--always-make", "--no-print-directory", "VENV=absent"]
    return subprocess.run(
        [*arguments, *shlex.split(line, comments=True)[1:]], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def groups_of(script: str) -> list[str]:
    """The groups of pyproject.toml that a script of `planned` installs."""
    return list(dict.fromkeys(re.findall(r"--group (\S+)", script)))


@cache
def closure(requirement: str) -> frozenset[str]:
    """Names of the installed distributions that pip would install for a requirement."""
    wanted, found = [Requirement(requirement)], set[str]()
    seen: set[tuple[str, str]] = set()
    while wanted:
        one = wanted.pop()
        for extra in ("", *one.extras):
            name = canonicalize_name(one.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found.add(name)
            needed = map(Requirement, importlib.metadata.requires(name) or [])
            wanted += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})]
    return frozenset(found)


def packages(group: str) -> set[str]:
    """Names of the distributions of a group."""
    found: set[str] = set()
    for entry in GROUPS[group]:
        found |= packages(entry["include-group"]) if isinstance(entry, dict) else closure(entry)
    return found


def install(groups: Iterable[str], place: Path) -> Path:
    """Link the distributions of these groups into one folder."""
    for name in set().union(*map(packages, groups)):
        for file in importlib.metadata.files(name) or ():
            top = place / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not top.exists():
                source = Path(str(file.locate())).parents[len(file.parts) - 1] / file.parts[0]
                top.symlink_to(source.resolve())
    return place


def install_into(environment: Path, groups: Iterable[str], *, project: Path) -> None:
    """Give a virtual environment the packages and programs of these groups, and the project as an editable package."""
    python = environment / "bin" / "python"
    site = environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    install(groups, site)
    (site / "kennel.pth").write_text(f"{project}\n")
    names = set().union(*map(packages, groups)) | {"kennel"}
    for entry in importlib.metadata.entry_points(group="console_scripts"):
        if entry.dist is not None and canonicalize_name(entry.dist.name) in names:
            script = environment / "bin" / entry.name
            script.write_text(
                f"#!{python}\nimport sys\nfrom {entry.module} import {entry.attr}\nsys.exit({entry.attr}())\n"
            )
            script.chmod(0o755)
