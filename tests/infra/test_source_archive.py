"""The source archive of training hosts: its files, and that its bytes depend only on them."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from stacks.training.source_files import ROOT, pack


def project(root: Path) -> Path:
    for name in (
        "training/train.py",
        "training/report/page.html",
        "training/sub/data.json",
        "training/requirements.txt",
        "training/requirements-host.txt",
        "training/README.md",
        "training/__pycache__/train.cpython-311.pyc",
        "training/__pycache__/stray.py",
        "inference/classifier.py",
        "inference/Dockerfile",
        "inference/requirements.txt",
        "lambda_fn/handler.py",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return root


def members(tar: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getmembers()


def test_it_holds_the_code_of_training_and_inference_and_the_requirements_at_its_root(tmp_path: Path) -> None:
    assert [member.name for member in members(pack(project(tmp_path)))] == [
        "inference/classifier.py",
        "requirements.txt",
        "training/report/page.html",
        "training/requirements-host.txt",
        "training/train.py",
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-host.txt"])
def test_an_archive_without_requirements_is_not_made(tmp_path: Path, name: str) -> None:
    """Its job would start without them and fail after minutes."""
    (project(tmp_path) / "training" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        pack(tmp_path)


def test_it_contains_no_owners_and_times(tmp_path: Path) -> None:
    for member in members(pack(project(tmp_path))):
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert member.mode == 0o644


def test_two_checkouts_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    for number, path in enumerate(sorted(two.rglob("*.py"))):
        os.utime(path, (number, number))
        path.chmod(0o600)
    assert pack(one) == pack(two)


@pytest.mark.parametrize("name", ["training/train.py", "inference/classifier.py", "training/requirements.txt"])
def test_a_change_of_the_code_changes_the_archive(tmp_path: Path, name: str) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    (two / name).write_text("changed")
    assert pack(one) != pack(two)


def test_a_change_of_other_files_does_not_change_the_archive(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    for name in ("inference/Dockerfile", "inference/requirements.txt", "training/README.md", "lambda_fn/handler.py"):
        (two / name).write_text("changed")
    assert pack(one) == pack(two)


def test_it_contains_the_jobs_entry_point() -> None:
    assert "training/train.py" in [member.name for member in members(pack(ROOT))]


def test_it_contains_the_reports_template() -> None:
    assert "training/report/page.html" in [member.name for member in members(pack(ROOT))]
