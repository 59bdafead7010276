"""The model artifact: a folder of model.onnx, labels.json and the manifest.json that vouches for both."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference.images import Preprocessing

FORMAT = "kennel-artifact-1"
MODEL, LABELS, MANIFEST = "model.onnx", "labels.json", "manifest.json"


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

    Raises ArtifactError for a missing folder or file, an unknown format, a wrong checksum or senseless contents.
    """
    if not folder.is_dir():
        raise ArtifactError(f"There is no model folder {folder}; name the folder that training wrote (--model-dir).")
    manifest = _manifest(folder)
    contents = {name: _checked(folder, name, manifest.files) for name in (MODEL, LABELS)}
    return Artifact(manifest=manifest, labels=_labels(contents[LABELS]), model=contents[MODEL])


def _manifest(folder: Path) -> Manifest:
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
            files={str(name): str(digest) for name, digest in document["files"].items()},
            training=dict(document.get("training", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"{MANIFEST} in {folder} lacks or garbles a field ({error!r}); train again.") from error


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
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(
            f"{folder} holds no regular file {name}; it is not a model artifact, or it was not copied whole."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{name} in {folder} cannot be read ({error.strerror}); mend its permissions.") from error


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
