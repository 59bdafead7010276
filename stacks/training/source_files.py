"""Pack the files that training hosts run into a reproducible tar. Without CDK, so that a rehearsal can use it too."""

import io
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("contract", "training", "inference")
"""`training` verifies its artifact with `inference` and takes its options from `contract`."""


@cache
def pack(root: Path) -> bytes:
    """The tar of FOLDERS under `root`: sorted by name, without owners, times and a leading ./"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in sorted(_members(root)):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def _members(root: Path) -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.suffix in (".py", ".json", ".html") and "__pycache__" not in path.parts:
                yield path.relative_to(root).as_posix(), path
    requirements = root / "training" / "requirements.txt"
    if requirements.exists():  # optional: the training image may contain all packages already
        yield requirements.name, requirements
