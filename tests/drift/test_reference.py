"""The reader of model.tar.gz in the serving image: a large member is passed over, and a very large archive refused."""

import io
import tarfile
from pathlib import Path

import pytest

from inference.drift import reference
from inference.drift.errors import DriftError


def packed(folder: Path, name: str, size: int) -> Path:
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = size
        archive.addfile(member, io.BytesIO(bytes(size)))
    return path


def test_an_archive_that_unpacks_to_more_than_any_artifact_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MOST_BYTES", 100_000)

    with pytest.raises(DriftError, match=r"model\.tar\.gz unpacks to more than 100,000 bytes"):
        reference.read_reference(packed(tmp_path, "zeros", 100_001))


def test_a_manifest_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DriftError, match=r"has no manifest\.json"):
        reference.read_reference(packed(tmp_path, "manifest.json", 2**22 + 1))
