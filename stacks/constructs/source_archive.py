"""The code that a training host runs, as one archive that is the same to the byte wherever it is packed."""

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("training", "inference")
"""`training` proves its artifact with `inference`, so both travel."""


class SourceArchive(assets.Asset):
    """`training/` and `inference/` as source.tar.gz: code, JSON and the report's page, and what a host installs.

    SageMaker unpacks it into /opt/ml/code and installs the requirements.txt at its root.
    """

    def __init__(self, scope: Construct, id: str, *, root: Path = ROOT) -> None:
        tar = pack(root)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "source.tar.gz"
            path.write_bytes(gzip.compress(tar, mtime=0))
            # The hash is of the tar, not of the gzip: two builds of zlib may compress the same bytes differently,
            # and a new hash means a new training job.
            super().__init__(
                scope,
                id,
                path=str(path),
                asset_hash=hashlib.sha256(tar).hexdigest(),
                asset_hash_type=AssetHashType.CUSTOM,
            )


@cache
def pack(root: Path) -> bytes:
    """The tar of the folders under `root`: sorted, no owner, no times, no leading ./"""
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
    if requirements.exists():  # a host whose image lacks nothing needs none
        yield requirements.name, requirements
