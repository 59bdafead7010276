"""Read archives that others packed: a .tar.gz of an artifact, a report or source code, and a .zip of a function.

Everything that unpacks an archive reads it here. An archive of any origin is read within its limits, or refused with
an ArchiveError. docs/threat-model.md says who may have packed them.
"""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path, PurePosixPath
from typing import IO

MOST_HEADER_BYTES = 2**16
"""Limit of what describes one member. Its longest part is a path, for which Linux has a limit of 4096 bytes."""
MOST_RATIO = 100
"""Unpacked bytes for each packed byte, beyond `UNPACKED_AT_ANY_RATIO`. Text has 10 at most, deflate allows 1032."""
UNPACKED_AT_ANY_RATIO = 2**26
CHUNK = 2**18

_PATH_LENGTH = 1024
_NAME_BYTES = 255
"""Linux's limit for the name of a file."""


class ArchiveError(Exception):
    """An archive that is damaged or may harm. The message is a sentence about "it", without the archive's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one kind of archive may have at most."""

    unpacked_bytes: int
    members: int


@dataclass(frozen=True, slots=True)
class Member:
    """A file or a folder in an archive. Read its content before the next member."""

    name: str
    """A relative path with slashes, without `.` and `..`."""
    size: int
    """Bytes; 0 for a folder."""
    is_folder: bool
    mode: int
    """Permissions, such as 0o644."""
    _content: Iterator[bytes]

    def content(self) -> Iterator[bytes]:
        """The content in chunks, `size` bytes in all. Raises ArchiveError if the archive ends before."""
        return self._content


def read_tar_gz(packed: IO[bytes], limits: Limits) -> Iterator[Member]:
    """Each member of a gzipped tar, in its order. After the last one the archive has been read to its end.

    Raises ArchiveError for a file that is not such an archive, is truncated, or has data after its end; for more than
    `limits`; and for a member that is neither a file nor a folder, leads out of the folder, or is there twice.
    """
    stream = _Unpacked(packed, limits.unpacked_bytes)
    names = _Names(limits.members)
    with _refused("a .tar.gz"), tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        for entry in archive:
            stream.header_is_read()
            _check_entry(entry)
            name = names.checked(entry.name, is_folder=entry.isdir())
            size = 0 if entry.isdir() else entry.size
            yield Member(name, size, entry.isdir(), entry.mode & 0o777, stream.content(entry.offset_data, size))
        stream.finish()


def read_zip(packed: IO[bytes], limits: Limits) -> Iterator[Member]:
    """Each member of a zip, as `read_tar_gz`. Methods other than deflate, and encryption, are refused too."""
    names, unpacked = _Names(limits.members), 0
    with _refused("a .zip"), zipfile.ZipFile(packed) as archive:
        size_of_archive = packed.seek(0, 2)
        for entry in archive.infolist():
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArchiveError(f"it contains {entry.filename!r}, which is encrypted or not packed with deflate.")
            kind = stat.S_IFMT(entry.external_attr >> 16)
            is_plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)  # 0: packed where files have no Unix permissions
            _check_type(entry.filename, is_link=kind == stat.S_IFLNK, is_plain=is_plain)
            name = names.checked(entry.filename, is_folder=entry.is_dir())
            unpacked += entry.file_size
            _check_size(unpacked, size_of_archive, limits.unpacked_bytes)
            mode = (entry.external_attr >> 16) & 0o777
            yield Member(name, entry.file_size, entry.is_dir(), mode, _zipped(archive, entry))


def unpack(members: Iterator[Member], folder: Path) -> None:
    """Write the files below `folder`, which is made if it is missing. Of the permissions only "executable" stays.

    Raises ArchiveError; then `folder` may have a part of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for member in members:
        target = folder / member.name
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in member.content():
                file.write(chunk)
        target.chmod(0o755 if member.mode & 0o111 else 0o644)


class _Names:
    """The names that an archive has had so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._count = 0

    def checked(self, raw: str, *, is_folder: bool) -> str:
        """The name as a relative path with slashes. Raises ArchiveError if it could be written elsewhere or twice."""
        self._count += 1
        if self._count > self._most:
            raise ArchiveError(f"it contains more than {self._most} files and folders.")
        path = PurePosixPath(raw)
        if path.is_absolute() or ".." in path.parts or "\\" in raw or ":" in "".join(path.parts[:1]):
            raise ArchiveError(f"it contains {raw!r}, which would be written outside the folder.")
        if (
            len(raw) > _PATH_LENGTH
            or any(len(os.fsencode(part)) > _NAME_BYTES for part in path.parts)
            or "\0" in raw
            or (not is_folder and not path.parts)
        ):
            raise ArchiveError(
                f"it contains a file with the name {raw[:40]!r} ({len(raw)} characters), which no file can have."
            )
        name = str(path)  # "./model.onnx", as `tar -C DIR .` writes it, is model.onnx
        above = {str(parent) for parent in path.parents}
        if name in self._files or above & self._files or (name in self._folders and not is_folder):
            raise ArchiveError(f"it contains {name!r} twice; pack it again.")
        if not is_folder:
            self._files.add(name)
        self._folders |= above | ({name} if is_folder else set())
        return name


class _Unpacked:
    """A gzip stream for tarfile, which only moves forward, within the limits."""

    def __init__(self, packed: IO[bytes], most: int) -> None:
        self._packed = packed
        self._stream = GzipFile(fileobj=packed)
        self._most = most
        self._at = 0
        self._of_header = 0
        self._last = b""

    def read(self, size: int) -> bytes:
        """What tarfile reads itself is the header of a member."""
        self._of_header += size
        if self._of_header > MOST_HEADER_BYTES:
            raise ArchiveError(
                f"the header of a member claims {self._of_header} bytes; the limit is {MOST_HEADER_BYTES}."
            )
        self._last = self._read(size)
        return self._last

    def header_is_read(self) -> None:
        self._of_header = 0

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        if position < self._at:
            raise ArchiveError("the header of a member leads back to another member.")
        while self._at < position:
            if not self._read(min(CHUNK, position - self._at)):
                raise EOFError

    def content(self, start: int, size: int) -> Iterator[bytes]:
        left = size
        with _refused("a .tar.gz"):
            self.seek(start)
            while left:
                chunk = self._read(min(CHUNK, left))
                if not chunk:
                    raise EOFError
                left -= len(chunk)
                yield chunk

    def finish(self) -> None:
        """Read to the end, where gzip's checksum is. A tar ends with zeros; tarfile also stops at a damaged header."""
        if not self._last:
            raise EOFError
        chunk = self._last
        while chunk:
            if chunk.strip(b"\0"):
                raise ArchiveError("it has data after its end; pack it again.")
            chunk = self._read(CHUNK)

    def _read(self, size: int) -> bytes:
        if size < 0:
            raise ArchiveError("the header of a member claims less than no bytes.")
        found = self._stream.read(size)
        self._at += len(found)
        _check_size(self._at, self._packed.tell(), self._most)
        return found


def _zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    left = entry.file_size
    with _refused("a .zip"), archive.open(entry) as file:
        while chunk := file.read(CHUNK):
            left -= len(chunk)
            yield chunk
        if left:
            raise EOFError


def _check_entry(entry: tarfile.TarInfo) -> None:
    is_plain = (entry.isdir() or entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE)) and not entry.issparse()
    _check_type(entry.name, is_link=entry.issym() or entry.islnk(), is_plain=is_plain)
    if entry.mode & 0o7000 and entry.isreg():
        raise ArchiveError(f"it contains {entry.name!r}, which has the setuid, setgid or sticky bit.")


def _check_type(name: str, *, is_link: bool, is_plain: bool) -> None:
    if is_link:
        raise ArchiveError(f"it contains {name!r}, a link; pack the files themselves.")
    if not is_plain:
        raise ArchiveError(f"it contains {name!r}, a device, a pipe or a file with holes; pack plain files.")


def _check_size(unpacked: int, packed: int, most: int) -> None:
    if unpacked > most:
        raise ArchiveError(f"it unpacks to more than {most / 2**30:g} GiB.")
    if unpacked > max(UNPACKED_AT_ANY_RATIO, MOST_RATIO * packed):
        raise ArchiveError(f"it unpacks to more than {MOST_RATIO} times its size.")


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn what the standard library raises for a damaged archive into ArchiveError."""
    try:
        yield
    except EOFError as error:
        raise ArchiveError("it is truncated; download it again.") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        OverflowError,
        NotImplementedError,
        RecursionError,
    ) as error:
        raise ArchiveError(f"it is not {what}, or it is damaged ({error}); download it again.") from error
    except OSError as error:
        if error.errno is not None:  # the disk's own
            raise
        raise ArchiveError(f"it is not {what}, or it is damaged ({error}); download it again.") from error
