"""The reference: what the served model said about the test photos, and how those look.

Training writes it into the artifact. It has four numbers for each photo and no photo.
"""

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference import artifact
from inference.artifact import ArtifactError, Manifest, labels_of, manifest_of, sha256
from inference.drift.errors import DriftError

FILE = "test-photos.json"
FORMAT = "kennel-test-photos-1"
MOST_PHOTOS = 5000
"""Of a larger test set, so many are in the reference, evenly spread. More would not make the noise smaller by 3 %."""

MOST_BYTES = 2**32
"""What an artifact may unpack to. Kennel's have about 100 MB."""

_MAX_BYTES = {FILE: 2**22, artifact.LABELS: 2**22, artifact.MANIFEST: 2**22}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Photos:
    """The four measures of some photos, each of shape (photos,)."""

    confidence: npt.NDArray[np.float64]
    """Probability, 0..1, of the most likely breed, as served."""
    breed: npt.NDArray[np.int64]
    """Index of that breed."""
    brightness: npt.NDArray[np.float64]
    """0..1."""
    shorter_side: npt.NDArray[np.int64]
    """Pixels."""

    def __len__(self) -> int:
        return len(self.confidence)

    @classmethod
    def of(cls, rows: Sequence[tuple[float, int, float, int]]) -> "Photos":
        """rows: confidence, breed, brightness and shorter side of each photo."""
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        return cls(
            confidence=np.asarray(columns[0], np.float64),
            breed=np.asarray(columns[1], np.int64),
            brightness=np.asarray(columns[2], np.float64),
            shorter_side=np.asarray(columns[3], np.int64),
        )

    def content(self) -> bytes:
        """The file of the artifact."""
        document = {
            "format": FORMAT,
            "confidence": [round(value, 6) for value in self.confidence.tolist()],  # as the server rounds its answers
            "breed": self.breed.tolist(),
            "brightness": [round(value, 4) for value in self.brightness.tolist()],
            "shorter_side": self.shorter_side.tolist(),
        }
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The test photos of an artifact, and what is needed to measure others in the same way."""

    manifest: Manifest
    labels: tuple[str, ...]
    photos: Photos


def read_reference(model: Path) -> Reference:
    """The reference of an artifact: its folder, or the model.tar.gz in which SageMaker packs it.

    Nothing is unpacked. Raises DriftError for an artifact without a reference, and for one that is damaged.
    """
    try:
        return _read(model)
    except ArtifactError as error:
        raise DriftError(str(error)) from error
    except (OSError, tarfile.TarError, EOFError) as error:
        raise DriftError(f"The artifact {model} cannot be read ({error}); copy it again.") from error


def _read(model: Path) -> Reference:
    contents = _of_folder(model) if model.is_dir() else _of_archive(model)
    if artifact.MANIFEST not in contents:
        raise DriftError(f"{model} has no {artifact.MANIFEST}, so it is not an artifact of Kennel; name another one.")
    manifest = manifest_of(contents[artifact.MANIFEST], model)
    if FILE not in manifest.files:
        raise DriftError(
            f"The artifact {manifest.id} was trained before artifacts had {FILE}, the measures of the test photos, so "
            "there is nothing to compare with. Train again, or name the folder of the test photos (kennel drift "
            "--photos DIR)."
        )
    for name in (artifact.LABELS, FILE):
        if name not in contents or sha256(contents[name]) != manifest.files.get(name):
            raise DriftError(f"{name} in {model} is missing, or not what the manifest says; copy the artifact again.")
    labels = labels_of(contents[artifact.LABELS])
    return Reference(manifest=manifest, labels=labels, photos=_photos(contents[FILE], breeds=len(labels)))


def _photos(content: bytes, *, breeds: int) -> Photos:
    try:
        document: Mapping[str, Any] = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT!r}")
        found = Photos(
            confidence=np.asarray(document["confidence"], np.float64),
            breed=np.asarray(document["breed"], np.int64),
            brightness=np.asarray(document["brightness"], np.float64),
            shorter_side=np.asarray(document["shorter_side"], np.int64),
        )
        columns = (found.confidence, found.breed, found.brightness, found.shorter_side)
        if {column.shape for column in columns} != {(len(found),)} or not len(found):
            raise ValueError("its columns differ in length, or are empty")
        if not all(np.isfinite(column).all() for column in columns) or not (
            0 <= found.breed.min() <= found.breed.max() < breeds
        ):
            raise ValueError("it has a value outside of its range")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DriftError(f"{FILE} of the artifact is invalid ({error}); train again.") from error
    return found


def _of_folder(folder: Path) -> dict[str, bytes]:
    paths = {name: folder / name for name in _MAX_BYTES}
    small = {name: path for name, path in paths.items() if path.is_file() and path.stat().st_size <= _MAX_BYTES[name]}
    return {name: path.read_bytes() for name, path in small.items()}


def _of_archive(archive: Path) -> dict[str, bytes]:
    """The small files of model.tar.gz. Its other members are passed over."""
    found: dict[str, bytes] = {}
    size = 0
    with tarfile.open(archive, "r|gz") as packed:
        for member in packed:
            size += member.size  # which tarfile reads and drops to find the next member
            if size > MOST_BYTES:
                raise DriftError(
                    f"{archive} unpacks to more than {MOST_BYTES:,} bytes, so it is no artifact of Kennel."
                )
            name = member.name.removeprefix("./")
            file = packed.extractfile(member) if member.isreg() else None
            if file is not None and member.size <= _MAX_BYTES.get(name, -1):
                found[name] = file.read()
    return found
