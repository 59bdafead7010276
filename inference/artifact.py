"""The model artifact: a folder of model.onnx, labels.json and the manifest.json that vouches for both.

No link is followed, no file is read that is not vouched for, and nothing is unpickled.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference import graph
from inference.photo.preprocessing import Preprocessing

FORMAT = "kennel-artifact-1"
MODEL, LABELS, MANIFEST = "model.onnx", "labels.json", "manifest.json"

_MOST_BYTES = {MODEL: 2**31, LABELS: 2**22, MANIFEST: 2**22}
"""Of each file; 2 GiB is what the ONNX format itself allows."""

_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


class ArtifactError(Exception):
    """An artifact that cannot be trusted or read. The message is one sentence: what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What an artifact is, what made it, and the checksums of its files."""

    precision: str
    """Of the weights in model.onnx: "fp32" or "int8"."""
    preprocessing: Preprocessing
    files: Mapping[str, str]
    """SHA-256 in hex of each file of the artifact, by name. Serving reads model.onnx and labels.json, and no other."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """What made it: source hash, data version, hyperparameters, metrics. Serving shows it and reads none of it."""

    @property
    def id(self) -> str:
        """16 hex digits that name this model: equal exactly where all that decides an answer is equal."""
        files = {name: self.files.get(name) for name in (MODEL, LABELS)}
        decisive = json.dumps([files, asdict(self.preprocessing)], sort_keys=True)
        return hashlib.sha256(decisive.encode()).hexdigest()[:16]

    def write(self, folder: Path) -> None:
        """Into `folder`, whole or not at all."""
        document = {"format": FORMAT, "id": self.id, **asdict(self)}
        partial = folder / f"{MANIFEST}.partial"
        partial.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        partial.replace(folder / MANIFEST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A folder whose manifest has been read and whose checksums hold."""

    manifest: Manifest
    labels: tuple[str, ...]
    """Breed names; the position is the class index of the network's output."""
    model: bytes
    """The ONNX model. These are the bytes that were checked: the file is not read a second time."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def load(folder: Path) -> Artifact:
    """Read the artifact in `folder` and check every file against the manifest.

    Raises ArtifactError for a missing folder or file, an unknown format, a wrong checksum, senseless contents, a model
    that is more than a network, a link, and a file that the manifest does not know and that could be run.
    """
    if not folder.is_dir():
        raise ArtifactError(f"There is no model folder {folder}; name the folder that training wrote (--model-dir).")
    manifest = read_manifest(folder)
    contents = {name: _checked(folder, name, manifest.files) for name in (MODEL, LABELS)}
    _check_strangers(folder, manifest.files)
    try:
        graph.check(contents[MODEL])
    except graph.GraphError as error:
        raise ArtifactError(f"{MODEL} in {folder} cannot be loaded: {error}; train again.") from error
    return Artifact(manifest=manifest, labels=_labels(contents[LABELS]), model=contents[MODEL])


def read_manifest(folder: Path) -> Manifest:
    """What the artifact in `folder` says of itself; no other file is looked at. Raises ArtifactError."""
    try:
        document = json.loads(_read(folder, MANIFEST))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{MANIFEST} in {folder} is not JSON ({error}); train again or copy the artifact again."
        ) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise ArtifactError(
            f"{MANIFEST} has the format {found!r}, but this version reads {FORMAT!r}; use matching versions."
        )
    try:
        recipe = document["preprocessing"]
        return Manifest(
            precision=str(document["precision"]),
            preprocessing=Preprocessing(
                resize=int(recipe["resize"]),
                crop=int(recipe["crop"]),
                mean=_triple(recipe["mean"]),
                std=_triple(recipe["std"]),
            ),
            files={_plain(name): str(digest) for name, digest in document["files"].items()},
            training=dict(document.get("training", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"{MANIFEST} in {folder} lacks or garbles a field ({error!r}); train again.") from error


def _plain(name: str) -> str:
    if name in ("", ".", "..") or not name.isprintable() or set(name) & set("/\\:"):
        raise ValueError(f"{name!r} is no name of a file beside the manifest")
    return name


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _checked(folder: Path, name: str, files: Mapping[str, str]) -> bytes:
    content = _read(folder, name)
    expected, found = files.get(name, "nothing of it"), sha256(content)
    if found != expected:
        raise ArtifactError(
            f"{name} in {folder} has the SHA-256 {found[:12]}, but the manifest says {expected[:13]}; "
            "the file was changed or cut off, so copy the artifact again."
        )
    return content


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a regular file. It is judged after it was opened, so that nothing can take its place in between."""
    missing = f"{folder} holds no regular file {name}; it is not a model artifact, or it was not copied whole."
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(folder / name, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactError(missing)
            if found.st_size > _MOST_BYTES[name]:
                raise ArtifactError(
                    f"{name} in {folder} has {found.st_size} bytes, and {_MOST_BYTES[name]} are the most; train again."
                )
            return file.read()
    except PermissionError as error:
        raise ArtifactError(f"{name} in {folder} cannot be read ({error.strerror}); mend its permissions.") from error
    except OSError as error:
        raise ArtifactError(missing) from error


def _check_strangers(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse links, and what the manifest does not know and could be run. Notes and the like may lie there."""
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        where = path.relative_to(folder)
        if stat.S_ISLNK(mode):
            raise ArtifactError(f"{where} in {folder} is a link; an artifact is whole in itself, so copy it again.")
        if stat.S_ISREG(mode) and mode & _EXECUTABLE and str(where) not in {*files, MANIFEST}:
            raise ArtifactError(
                f"{where} in {folder} can be run and the manifest does not know it; remove it, or its right to be run."
            )


def _labels(content: bytes) -> tuple[str, ...]:
    try:
        labels = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{LABELS} is not JSON ({error}); train again.") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels) or len(set(labels)) < 2:
        raise ArtifactError(f"{LABELS} must be a list of at least two breed names; train again.")
    if len(set(labels)) < len(labels):
        raise ArtifactError(f"{LABELS} names a breed twice; train again.")
    return tuple(labels)
