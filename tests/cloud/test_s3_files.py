"""Where an object of a channel lies on a host's disk."""

import io
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.sagemaker.s3_files import TransferError, below, bucket_and_key, download


class Bucket:
    """An S3 client whose every object has its key as content."""

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "dogs"
        return {"Body": _Body(Key.encode())}


class _Body(io.BytesIO):
    def iter_chunks(self, size: int) -> Any:
        return iter(lambda: self.read(size), b"")


@pytest.mark.parametrize(
    ("prefix", "key", "path"),
    [
        ("data/", "data/a/b.jpg", "a/b.jpg"),
        ("data", "data/a/b.jpg", "a/b.jpg"),
        ("data/a", "data/abc/b.jpg", "abc/b.jpg"),
        ("data/one.txt", "data/one.txt", "one.txt"),
        ("one.txt", "one.txt", "one.txt"),
        ("", "a/b.jpg", "a/b.jpg"),
    ],
)
def test_an_object_lies_at_its_key_below_the_prefix(prefix: str, key: str, path: str) -> None:
    assert below(prefix, key) == path


def test_objects_are_written_below_the_folder_without_the_markers_of_folders(tmp_path: Path) -> None:
    download(Bucket(), "s3://dogs/data/", tmp_path, ["data/", "data/a/", "data/a/b.jpg"])

    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["a/b.jpg"]
    assert (tmp_path / "a" / "b.jpg").read_text() == "data/a/b.jpg"


def test_a_key_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="has no place below"):
        download(Bucket(), "s3://dogs/data/", tmp_path / "channel", ["data/../out.txt"])
    assert not (tmp_path / "out.txt").exists()


def test_a_key_may_have_any_character() -> None:
    assert bucket_and_key("s3://dogs/a#b/model?1.tar.gz") == ("dogs", "a#b/model?1.tar.gz")
