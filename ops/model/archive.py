"""Unpack model.tar.gz, in which SageMaker packs an artifact, on this machine. On AWS, SageMaker unpacks it."""

import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path, PurePosixPath
from typing import IO

from inference.artifact import MANIFEST, ArtifactError, Manifest, read_manifest

MOST_BYTES = 2**32
"""Limit of the unpacked size. A ResNet50 with its weights for further training takes 200 MB."""

MOST_MEMBERS = 1000
_AT_ONCE = 2**20
"""Limit of one read: a header may claim gigabytes of names."""


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
        except ArtifactError as error:
            raise ArtifactError(f"{archive.name}: {error}") from error
        except EOFError as error:
            raise ArtifactError(f"{archive.name} is truncated; download it again.") from error
        except (tarfile.TarError, OSError, zlib.error, ValueError, OverflowError, RecursionError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise ArtifactError(f"{archive.name} is not a valid model.tar.gz ({error}); download it again.") from error
        yield folder


class _Unpacked:
    """A gzip stream for tarfile. It raises an error if it grows beyond `MOST_BYTES`."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._stream = GzipFile(fileobj=packed)

    def read(self, size: int) -> bytes:
        if size > _AT_ONCE:
            raise ArtifactError(f"a header claims {size} bytes; it was not made by a training job.")
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> None:
        self._check(position)
        self._stream.seek(position)

    def finish(self) -> None:
        """Read to the end, where gzip's own checksum is."""
        while self.read(_AT_ONCE):
            pass

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self, position: int) -> None:
        if position > MOST_BYTES:
            raise ArtifactError(
                f"it unpacks to more than {MOST_BYTES // 2**30} GiB; it was not made by a training job."
            )


def _unpack(packed: IO[bytes], folder: Path) -> None:
    """Read the archive twice: check all members before the first is written."""
    manifest = _checked(packed, folder)
    packed.seek(0)
    with tarfile.open(fileobj=_Unpacked(packed), mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            name = _name(member)
            if name in manifest.files:
                _write(archive, member, folder / name, manifest.files[name])


def _checked(packed: IO[bytes], folder: Path) -> Manifest:
    names: set[str] = set()
    executable: set[str] = set()
    stream = _Unpacked(packed)
    with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            _check(member)
            name = _name(member)
            if name in names:
                raise ArtifactError(f"it contains {name!r} twice; pack it again.")
            names.add(name)
            if len(names) > MOST_MEMBERS:
                raise ArtifactError(f"it contains more than {MOST_MEMBERS} files; it was not made by a training job.")
            if member.isreg() and member.mode & 0o111:
                executable.add(name)
            if name == MANIFEST:
                _write(archive, member, folder / MANIFEST, None)
    stream.finish()
    if MANIFEST not in names:
        raise ArtifactError(f"it contains no {MANIFEST}, so it is not an artifact of Kennel.")
    manifest = read_manifest(folder)
    if unknown := executable - {*manifest.files, MANIFEST}:
        raise ArtifactError(f"it contains {min(unknown)!r}, an executable that the manifest does not name.")
    return manifest


def _name(member: tarfile.TarInfo) -> str:
    return str(PurePosixPath(member.name))  # "./model.onnx", as `tar -C DIR .` writes it, is model.onnx


def _check(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in "".join(path.parts[:1]):
        raise ArtifactError(f"it contains {member.name!r}, which would be written outside the artifact's folder.")
    if member.issym() or member.islnk():
        raise ArtifactError(f"it contains {member.name!r}, a link; an artifact contains only files.")
    if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) or member.issparse():
        raise ArtifactError(f"it contains {member.name!r}, a device or a pipe; an artifact contains only files.")
    if member.mode & 0o7000 and member.isreg():
        raise ArtifactError(f"it contains {member.name!r}, which has the setuid, setgid or sticky bit.")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, checksum: str | None) -> None:
    """Write one member without tarfile's extraction, so that its owner, mode, time and links are ignored."""
    source, digest = archive.extractfile(member), hashlib.sha256()
    if source is None or (target.name == MANIFEST and member.size > _AT_ONCE):
        raise ArtifactError(f"it contains {member.name!r}, which is not a file of an artifact.")
    written = 0
    with source, target.open("xb") as file:
        while chunk := source.read(_AT_ONCE // 4):
            digest.update(chunk)
            written += file.write(chunk)
    if written != member.size:
        raise EOFError
    if checksum is not None and digest.hexdigest() != checksum:
        raise ArtifactError(
            f"{target.name} has the SHA-256 {digest.hexdigest()[:12]}, but the manifest says {checksum[:12]}; "
            "it was changed after training, so download it again."
        )
