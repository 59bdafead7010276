"""The model artifact: a folder with model.onnx, labels.json, and manifest.json with the checksums of both.

No link is followed, no file is read without a checksum in the manifest, and nothing is unpickled.
"""

import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from inference import graph
from inference.photo.preprocessing import Preprocessing
from inference.printable import is_printable

FORMAT = "kennel-artifact-1"
MODEL, LABELS, MANIFEST = "model.onnx", "labels.json", "manifest.json"

_MAX_BYTES = {MODEL: 2**31, LABELS: 2**22, MANIFEST: 2**22}
"""The largest size of each file. The ONNX format itself allows no more than 2 GiB."""

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


class ArtifactError(Exception):
    """An artifact that is damaged, unreadable or not safe to load. The message is one sentence: what is wrong, and what
    to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """How to use an artifact, how it was made, and the checksums of its files."""

    precision: str
    """The precision of the weights in model.onnx: "fp32" or "int8"."""
    preprocessing: Preprocessing
    files: Mapping[str, str]
    """SHA-256 in hex of each file of the artifact, by name. Serving reads model.onnx and labels.json, and no other."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """How it was made: source hash, data version, hyperparameters, metrics. Serving does not use it."""

    @property
    def id(self) -> str:
        """16 hex digits that identify the model: those of two artifacts are equal exactly if their model.onnx,
        labels.json and preprocessing are."""
        files = {name: self.files.get(name) for name in (MODEL, LABELS)}
        decisive = json.dumps([files, asdict(self.preprocessing)], sort_keys=True)
        return hashlib.sha256(decisive.encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Write manifest.json into `folder`, atomically."""
        document = {"format": FORMAT, "id": self.id, **asdict(self)}
        partial = folder / f"{MANIFEST}.partial"
        partial.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        partial.replace(folder / MANIFEST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """An artifact that has been read and whose checksums are right."""

    manifest: Manifest
    labels: tuple[str, ...]
    """Breed names, in the order of the network's classes."""
    model: bytes
    """The ONNX model: the very bytes that were checked, so that the file is not read a second time."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def load(folder: Path) -> Artifact:
    """Read the artifact in `folder` and check its files against the manifest.

    Raises ArtifactError for a missing or unreadable folder or file, an unknown format, a wrong checksum, invalid
    contents, a model that contains more than an image classifier needs, a link, and an executable file that the
    manifest does not list.
    """
    if not _is_folder(folder):
        raise ArtifactError(f"There is no model folder {folder}; name the folder that training wrote (--model-dir).")
    manifest = read_manifest(folder)
    contents = {name: _checked(folder, name, manifest.files) for name in (MODEL, LABELS)}
    _check_other_files(folder, manifest.files)
    try:
        graph.check(contents[MODEL])
    except graph.GraphError as error:
        raise ArtifactError(f"{MODEL} in {folder} cannot be loaded: {error}; train again.") from error
    return Artifact(manifest=manifest, labels=labels_of(contents[LABELS]), model=contents[MODEL])


def _is_folder(folder: Path) -> bool:
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except PermissionError as error:
        raise _unreadable(folder, error) from error
    except OSError:
        return False


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    """SageMaker unpacks the artifact as root, with the permissions that it was packed with. The server is not root."""
    return ArtifactError(
        f"{path} cannot be read by user {os.getuid()} ({error.strerror}); let every user read the artifact "
        "(chmod -R a+rX on its folder), and pack it again."
    )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the artifact in `folder`, without reading any other file. Raises ArtifactError."""
    return manifest_of(_read(folder, MANIFEST), folder)


def manifest_of(content: bytes, folder: Path) -> Manifest:
    """The manifest whose file has this content. folder: where it is, for the message. Raises ArtifactError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{MANIFEST} in {folder} is not JSON ({error}); train again or copy the artifact again."
        ) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise ArtifactError(
            f"{MANIFEST} has the format {found!r}, but this version of Kennel reads {FORMAT!r}; use the version that "
            "made the artifact, or train again."
        )
    try:
        preprocessing = document["preprocessing"]
        return Manifest(
            precision=str(document["precision"]),
            preprocessing=Preprocessing(
                resize=int(preprocessing["resize"]),
                crop=int(preprocessing["crop"]),
                mean=_triple(preprocessing["mean"]),
                std=_triple(preprocessing["std"]),
            ),
            files={_file_name(name): str(digest) for name, digest in document["files"].items()},
            training=dict(document.get("training", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactError(
            f"{MANIFEST} in {folder} has a missing or invalid field ({error!r}); train again."
        ) from error


def _file_name(name: str) -> str:
    if name in ("", ".", "..") or not name.isprintable() or set(name) & set("/\\:"):
        raise ValueError(f"{name!r} is not the name of a file next to the manifest")
    return name


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _checked(folder: Path, name: str, files: Mapping[str, str]) -> bytes:
    content = _read(folder, name)
    expected, found = files.get(name), sha256(content)
    if expected is None:
        raise ArtifactError(f"{MANIFEST} in {folder} has no checksum of {name}; train again.")
    if found != expected:
        raise ArtifactError(
            f"{name} in {folder} has the SHA-256 {found[:12]}, but the manifest says {expected[:12]}; "
            "the file was changed or cut off, so copy the artifact again."
        )
    return content


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a regular file. Its type is checked after it is opened, so that it cannot be replaced in between."""
    missing = f"{folder} has no regular file {name}; it is not a model artifact, or it was copied incompletely."
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(folder / name, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactError(missing)
            if found.st_size > _MAX_BYTES[name]:
                raise ArtifactError(
                    f"{name} in {folder} has {found.st_size} bytes; the limit is {_MAX_BYTES[name]}, so train again."
                )
            return file.read()
    except PermissionError as error:
        raise _unreadable(folder / name, error) from error
    except OSError as error:
        raise ArtifactError(missing) from error


def _check_other_files(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse links, and executable files that the manifest does not list. Other files, such as notes, are allowed."""
    for path in _everything_in(folder):
        mode = path.lstat().st_mode
        where = path.relative_to(folder)
        if stat.S_ISLNK(mode):
            raise ArtifactError(
                f"{where} in {folder} is a link; an artifact must contain its files, so copy it again without links."
            )
        if stat.S_ISREG(mode) and mode & _EXECUTABLE and str(where) not in {*files, MANIFEST}:
            raise ArtifactError(
                f"{where} in {folder} is executable and is not in the manifest; remove the file or its executable bit."
            )


def _everything_in(folder: Path) -> Iterator[Path]:
    """Each file and folder below `folder`. Path.rglob would leave out what is in a folder that cannot be listed."""

    def unreadable(error: OSError) -> NoReturn:
        raise _unreadable(Path(error.filename), error) from error

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        yield from (Path(parent) / name for name in sorted([*folders, *files]))


def labels_of(content: bytes) -> tuple[str, ...]:
    """The breeds in labels.json. Raises ArtifactError."""
    try:
        labels = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{LABELS} is not JSON ({error}); train again.") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels) or len(set(labels)) < 2:
        raise ArtifactError(f"{LABELS} must be a list of at least two breed names; train again.")
    names = tuple(unicodedata.normalize("NFC", label) for label in labels)  # as training writes them today
    if len(set(names)) < len(names):
        raise ArtifactError(f"{LABELS} names a breed twice; train again.")
    for label in names:
        if not is_printable(label):
            raise ArtifactError(
                f"{LABELS} has the breed {label!r}, which cannot be printed; rename its folder and train again."
            )
    return names
