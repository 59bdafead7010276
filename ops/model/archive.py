"""Unpack model.tar.gz, in which SageMaker packs an artifact, on this machine. On AWS, SageMaker unpacks it."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from contract.archive import ArchiveError, Limits, Member, read_tar_gz
from inference.artifact import MANIFEST, ArtifactError, Manifest, read_manifest

LIMITS = Limits(unpacked_bytes=2**32, members=1000)
"""A ResNet50 with its weights for further training takes 200 MB."""

_MOST_MANIFEST_BYTES = 2**20


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The artifact in `archive`, in a temporary folder that exists during the block.

    Only the files that the manifest names are written, and their checksums are compared. Raises ArtifactError if the
    file is not such an archive, or has a member that no artifact has: a path outside the folder, a link, a device, a
    program, or a duplicate name.
    """
    with tempfile.TemporaryDirectory(prefix="kennel-") as scratch:
        folder = Path(scratch)
        try:
            with archive.open("rb") as packed:
                _unpack(packed, folder)
        except (ArchiveError, ArtifactError) as error:
            raise ArtifactError(f"{archive.name}: {error}") from error
        yield folder


def _unpack(packed: IO[bytes], folder: Path) -> None:
    """Read the archive twice: check all members before the first is written."""
    manifest = _checked(packed, folder)
    packed.seek(0)
    for member in read_tar_gz(packed, LIMITS):
        if member.name in manifest.files:
            _write(member, folder / member.name, manifest.files[member.name])


def _checked(packed: IO[bytes], folder: Path) -> Manifest:
    executable: set[str] = set()
    found = False
    for member in read_tar_gz(packed, LIMITS):
        if not member.is_folder and member.mode & 0o111:
            executable.add(member.name)
        if member.name == MANIFEST:
            if member.is_folder or member.size > _MOST_MANIFEST_BYTES:
                raise ArtifactError(f"it contains {MANIFEST!r}, which is not the file of an artifact.")
            _write(member, folder / MANIFEST, None)
            found = True
    if not found:
        raise ArtifactError(f"it contains no {MANIFEST}, so it is not an artifact of Kennel.")
    manifest = read_manifest(folder)
    if unknown := executable - {*manifest.files, MANIFEST}:
        raise ArtifactError(f"it contains {min(unknown)!r}, an executable that the manifest does not name.")
    return manifest


def _write(member: Member, target: Path, checksum: str | None) -> None:
    if member.is_folder:
        raise ArtifactError(f"it contains {member.name!r} as a folder, but the manifest names a file.")
    digest = hashlib.sha256()
    with target.open("xb") as file:
        for chunk in member.content():
            digest.update(chunk)
            file.write(chunk)
    if checksum is not None and digest.hexdigest() != checksum:
        raise ArtifactError(
            f"{target.name} has the SHA-256 {digest.hexdigest()[:12]}, but the manifest says {checksum[:12]}; "
            "it was changed after training, so download it again."
        )
