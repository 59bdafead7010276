"""The archive that training hosts run: what is in it, and that its bytes depend on nothing else."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from stacks.training.source_files import ROOT, pack


def project(root: Path) -> Path:
    for name in (
        "training/train.py",
        "training/sub/data.json",
        "training/requirements.txt",
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
        "training/sub/data.json",
        "training/train.py",
    ]


def test_a_project_without_requirements_is_packed_without(tmp_path: Path) -> None:
    (project(tmp_path) / "training" / "requirements.txt").unlink()
    assert "requirements.txt" not in [member.name for member in members(pack(tmp_path))]


def test_it_tells_nothing_about_who_packed_it_and_when(tmp_path: Path) -> None:
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
def test_a_change_of_the_code_is_another_archive(tmp_path: Path, name: str) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    (two / name).write_text("changed")
    assert pack(one) != pack(two)


def test_a_change_of_what_the_hosts_do_not_run_is_the_same_archive(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    for name in ("inference/Dockerfile", "inference/requirements.txt", "training/README.md", "lambda_fn/handler.py"):
        (two / name).write_text("changed")
    assert pack(one) == pack(two)


def test_the_entry_point_that_the_job_names_is_in_it() -> None:
    assert "training/train.py" in [member.name for member in members(pack(ROOT))]


def test_the_page_that_the_report_fills_is_in_it() -> None:
    assert "training/report/page.html" in [member.name for member in members(pack(ROOT))]
