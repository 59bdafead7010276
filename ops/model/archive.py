"""model.tar.gz, as SageMaker packs an artifact, unpacked on this machine. On AWS, SageMaker unpacks it itself."""

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
"""Unpacked; a ResNet50 with the weights to train it further has 200 MB."""

MOST_MEMBERS = 1000
_AT_ONCE = 2**20
"""No more is read in one go: a header may claim that gigabytes of names follow it."""


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The artifact in `archive`, in a folder that is gone after the block.

    What the manifest names is written and its checksum compared; nothing else is written. Raises ArtifactError for a
    file that is no such archive, and for one with a member that no artifact has: a path that leaves the folder, a
    link, a device, a program, a name twice.
    """
    with tempfile.TemporaryDirectory(prefix="kennel-") as scratch:
        folder = Path(scratch)
        try:
            with archive.open("rb") as packed:
                _unpack(packed, folder)
        except ArtifactError as error:
            raise ArtifactError(f"{archive.name}: {error}") from error
        except EOFError as error:
            raise ArtifactError(f"{archive.name} was cut off; download it again.") from error
        except (tarfile.TarError, OSError, zlib.error, ValueError, OverflowError, RecursionError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise ArtifactError(f"{archive.name} is no sound model.tar.gz ({error}); download it again.") from error
        yield folder


class _Unpacked:
    """A gzip stream as tarfile reads one, which ends with an error where it grows past reason."""

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
    """Twice through the archive: all members are judged before the first is written."""
    manifest = _judged(packed, folder)
    packed.seek(0)
    with tarfile.open(fileobj=_Unpacked(packed), mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            name = _name(member)
            if name in manifest.files:
                _write(archive, member, folder / name, manifest.files[name])


def _judged(packed: IO[bytes], folder: Path) -> Manifest:
    names: set[str] = set()
    executable: set[str] = set()
    stream = _Unpacked(packed)
    with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            _check(member)
            name = _name(member)
            if name in names:
                raise ArtifactError(f"it holds {name!r} twice; pack it again.")
            names.add(name)
            if len(names) > MOST_MEMBERS:
                raise ArtifactError(f"it holds more than {MOST_MEMBERS} files; it was not made by a training job.")
            if member.isreg() and member.mode & 0o111:
                executable.add(name)
            if name == MANIFEST:
                _write(archive, member, folder / MANIFEST, None)
    stream.finish()
    if MANIFEST not in names:
        raise ArtifactError(f"it holds no {MANIFEST}; it is not an artifact of this project.")
    manifest = read_manifest(folder)
    if strangers := executable - {*manifest.files, MANIFEST}:
        raise ArtifactError(f"it holds {min(strangers)!r}, which can be run and which the manifest does not know.")
    return manifest


def _name(member: tarfile.TarInfo) -> str:
    return str(PurePosixPath(member.name))  # "./model.onnx", as `tar -C DIR .` writes it, is model.onnx


def _check(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in "".join(path.parts[:1]):
        raise ArtifactError(f"it holds {member.name!r}, which would be written outside the artifact's folder.")
    if member.issym() or member.islnk():
        raise ArtifactError(f"it holds {member.name!r}, a link; an artifact holds files alone.")
    if not (member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) or member.issparse():
        raise ArtifactError(f"it holds {member.name!r}, a device, a pipe or the like; an artifact holds files alone.")
    if member.mode & 0o7000 and member.isreg():
        raise ArtifactError(f"it holds {member.name!r}, which would run with its owner's rights.")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, checksum: str | None) -> None:
    """Not by tarfile's own extraction: no owner, mode, time or link is taken over."""
    source, digest = archive.extractfile(member), hashlib.sha256()
    if source is None or (target.name == MANIFEST and member.size > _AT_ONCE):
        raise ArtifactError(f"it holds {member.name!r}, which is no file of an artifact.")
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
            "it was changed on its way, so download it again."
        )
