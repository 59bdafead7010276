"""Build and mount the serving image without Docker: debootstrap makes the base, buildah builds on it."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONTEXT = Path(__file__).parents[2] / "inference"
SUITE = "trixie"  # the Debian release of python:3.13-slim
BASE, IMAGE = "kennel-base", "kennel"

MISSING = [tool for tool in ("buildah", "debootstrap") if shutil.which(tool) is None]
"""The needed programs that are not installed."""


def run(*command: str | Path, **options: object) -> str:
    """The output of a command. Raises AssertionError with the end of the output if it fails."""
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert ran.returncode == 0, f"{command[0]} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-3000:]}"
    output: str = ran.stdout
    return output


class Images:
    """A separate store of images, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        store = ("--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
        self._buildah = ("buildah", *store)

    def make_base(self) -> None:
        """Make a plain Debian with Python and pip, like the official slim image: its pip does not come from Debian."""
        root = self._folder / "base"
        packages = "python3,python-is-python3,ca-certificates"
        run("debootstrap", "--variant=minbase", f"--include={packages}", SUITE, root)
        (managed,) = root.glob("usr/lib/python3.*/EXTERNALLY-MANAGED")
        managed.unlink()
        site = root / "usr/local/lib" / managed.parent.name / "dist-packages"
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", site, "pip")
        container = run(*self._buildah, "from", "scratch").strip()
        run(*self._buildah, "add", container, root, "/")
        run(*self._buildah, "commit", "--quiet", container, BASE)
        run(*self._buildah, "rm", container)
        shutil.rmtree(root)

    def build(self, context: Path = CONTEXT) -> None:
        """Build inference/Dockerfile on that base. pip uses this machine's settings, which do not stay in the image."""
        volumes = [part for volume in self._pip_volumes() for part in ("--volume", volume)]
        base = f"BASE=localhost/{BASE}"
        run(*self._buildah, "bud", "--isolation", "chroot", "--build-arg", base, *volumes, "--tag", IMAGE, context)

    def _pip_volumes(self) -> list[str]:
        listed = run(sys.executable, "-m", "pip", "config", "list")
        settings = dict(re.findall(r"^(?:global|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
        parser = configparser.ConfigParser(interpolation=None)
        parser["global"] = settings
        config = self._folder / "pip.conf"
        with config.open("w") as file:
            parser.write(file)
        folders = {path for value in settings.values() for path in re.findall(r"(?:file://)?(/[^\s']+)", value)}
        local = [path for path in folders if Path(path).exists()]
        roots = [path for path in local if not any(path != other and path.startswith(other + "/") for other in local)]
        roots += [str(Path(path).parent) for path in roots if Path(path).name == "simple"]  # an index and its files
        return [f"{config}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in dict.fromkeys(roots))]

    def mount(self, image: str) -> Path:
        """The file system of a new container of the image."""
        container = run(*self._buildah, "from", "--pull-never", f"localhost/{image}").strip()
        return Path(run(*self._buildah, "mount", container).strip())

    def configuration(self) -> dict[str, Any]:
        """The image's configuration, with OCI's names: Entrypoint, Cmd, Env, User, WorkingDir."""
        inspected = json.loads(run(*self._buildah, "inspect", "--type", "image", IMAGE))
        configuration: dict[str, Any] = inspected["OCIv1"]["config"]
        return configuration


def size(root: Path) -> int:
    """The size of all files in bytes."""
    return sum(os.lstat(Path(folder) / name).st_size for folder, _, names in os.walk(root) for name in names)


def programs(root: Path) -> set[str]:
    """The names of the programs on the usual PATH."""
    folders: Sequence[str] = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
    return {path.name for folder in folders if (root / folder).is_dir() for path in (root / folder).iterdir()}
