"""The locked packages exist for each platform and each Python that README names."""

import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
README = " ".join((ROOT / "README.md").read_text().split())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = ROOT / "locks" / "kennel.txt"
PARTIAL = tuple(ROOT / "training" / name for name in ("requirements.txt", "requirements-host.txt"))
"""Locks without the packages that a training host has."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
FROM_SOURCE = "awslambdaric"
"""The one package that has no wheel for macOS: decision 69."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    system: str
    """`sys.platform`."""
    machine: str
    uv: str
    """uv's name for it."""
    macos: str = ""
    """The oldest release of macOS."""

    def __str__(self) -> str:
        return self.uv


PLATFORMS = (
    Platform(system="linux", machine="x86_64", uv="x86_64-manylinux_2_28"),
    Platform(system="linux", machine="aarch64", uv="aarch64-manylinux_2_35"),
    Platform(system="darwin", machine="arm64", uv="aarch64-apple-darwin", macos="14.0"),
)
SENTENCE = "It runs on Linux (x86-64; Arm with glibc 2.35 or newer) and macOS 14 or newer (Apple silicon)"


def test_readme_names_these_platforms_and_pythons() -> None:
    assert f"{SENTENCE}, with Python {PYTHONS[0]} to {PYTHONS[-1]} and make." in README

    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported] == list(PYTHONS)


def group(name: str) -> Iterator[Requirement]:
    """The requirements of a dependency group of pyproject.toml, those of included groups too."""
    for entry in PROJECT["dependency-groups"][name]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from group(entry["include-group"])


def locked(platform: Platform, python: str) -> dict[str, str]:
    """Name to version of the packages that the lock installs there. Each has at least one hash."""
    environment = {
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": platform.system,
        "platform_machine": platform.machine,
        "platform_system": platform.system.title(),
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    packages = {}
    for entry in re.split(r"\n(?=\S)", LOCK.read_text()):
        text, *hashes = re.split(r"\s+\\\n\s+--hash=sha256:", entry)
        requirement = Requirement(text.strip())
        assert hashes, f"{requirement.name} has no hash"
        if requirement.marker is None or requirement.marker.evaluate(environment):
            packages[requirement.name] = str(requirement.specifier).removeprefix("==")
    return packages


EACH = pytest.mark.parametrize(("platform", "python"), list(itertools.product(PLATFORMS, PYTHONS)), ids=str)


@EACH
def test_the_lock_has_the_requirements_of_each_group(platform: Platform, python: str) -> None:
    packages = locked(platform, python)

    wrong = [str(needed) for needed in group("test") if packages.get(needed.name, "none") not in needed.specifier]
    assert wrong == []


@EACH
def test_cuda_is_installed_on_linux_alone(platform: Platform, python: str) -> None:
    cuda = [name for name in locked(platform, python) if name.startswith(("nvidia-", "cuda-", "triton"))]

    assert bool(cuda) is (platform.system == "linux")


@pytest.mark.slow  # queries the package index
@EACH
@pytest.mark.parametrize(
    "lock",
    [LOCK, *PARTIAL, ROOT / "inference" / "requirements.txt"],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_every_locked_package_has_a_file_for_the_platform(
    lock: Path, platform: Platform, python: str, tmp_path: Path
) -> None:
    uv = Path(sys.executable).with_name("uv")
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    ).stdout.strip()
    environment = {
        **os.environ,
        **({"UV_DEFAULT_INDEX": index} if index else {}),
        **({"MACOSX_DEPLOYMENT_TARGET": platform.macos} if platform.macos else {}),
    }

    # Into an empty folder, and only in theory: --dry-run chooses a file of each package and downloads none of them.
    options = ["--dry-run", "--require-hashes", "--only-binary", ":all:", "--target", str(tmp_path)]
    if lock in PARTIAL:
        options += ["--no-deps"]
    elif platform.macos:
        options += ["--no-binary", FROM_SOURCE]
    run = subprocess.run(
        [uv, "pip", "install", *options, "--python-platform", platform.uv, "--python-version", python, "-r", lock],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "Would install" in run.stderr
