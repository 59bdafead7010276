"""Which files of the repository are deployed, and their bytes: the same on every machine. Without CDK.

A checkout holds more than the repository: caches, what editors and file managers leave behind, and, on Windows, other
line endings. A different byte is another asset, and another source archive is another training job.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

BINARY = (".jpg",)
"""Suffixes of the files whose bytes are deployed as they are. All other files are text, with LF."""


def sources(root: Path, *, packages: Iterable[str] = (), files: Iterable[str] = ()) -> dict[str, bytes]:
    """The modules of these packages, and these other files, by path below `root`, sorted.

    packages: folders below root. files: paths below root. Raises FileNotFoundError for a file that does not exist.
    """
    paths = {name: root / name for name in files}
    for package in packages:
        paths |= {path.relative_to(root).as_posix(): path for path in modules(root / package)}
    return {name: content(path) for name, path in sorted(paths.items())}


def modules(package: Path) -> Iterator[Path]:
    """Every Python file below this folder that can be imported.

    So `._train.py` and `.#train.py`, which macOS and Emacs write, are left out, and copies such as `train (1).py`.
    """
    for path in package.rglob("*.py"):
        names = path.relative_to(package).with_suffix("").parts
        if all(name.isidentifier() for name in names) and "__pycache__" not in names and path.is_file():
            yield path


def content(path: Path) -> bytes:
    """The bytes of a file; of text, those that git stores."""
    found = path.read_bytes()
    return found if path.suffix in BINARY else found.replace(b"\r\n", b"\n")
