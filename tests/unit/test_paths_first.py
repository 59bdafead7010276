"""A path that cannot be used is refused before the work that would need it."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ops import cli
from ops.output_path import OutputPathError, check_file, check_folder
from ops.rehearse import run
from ops.rehearse.plan import Plan
from ops.sentences import is_sentence, sentence
from tests.builders import write_artifact
from tests.unit.test_data_check import write_photos


@pytest.fixture
def kennel(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command, and returns what it printed to stderr. It fails if a photo is drawn or a process starts."""

    def run_command(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["kennel", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 1
        return capfd.readouterr().err

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("signal.signal", lambda *_: None)
    for work in (
        "sample_dogs.dataset.write_sample",
        "ops.rehearse.photos.write_sample",
        "ops.rehearse.on_aws.rehearse",
        "ops.rehearse.without_aws.rehearse",
        "ops.data.check.check",
        "ops.model.report.fetch_report",
    ):
        monkeypatch.setattr(work, fail)
    return run_command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"no weights")
    return path


@pytest.mark.parametrize("where", [(), ("--without-aws",)], ids=["on AWS", "without AWS"])
def test_a_rehearsal_checks_its_weights_first(
    kennel: Callable[..., str], tmp_path: Path, file: Path, where: tuple[str, ...]
) -> None:
    rehearse = ("rehearse", *where, "--folder", tmp_path / "new", "--pretrained")

    assert "missing.safetensors does not exist" in kennel(*rehearse, tmp_path / "missing.safetensors")
    assert "is not a .safetensors file" in kennel(*rehearse, file)
    assert "it must contain exactly one" in kennel(*rehearse, tmp_path / "..")
    assert not (tmp_path / "new").exists()


def test_a_rehearsal_checks_its_photos_its_model_and_its_folder_first(
    kennel: Callable[..., str], tmp_path: Path, file: Path
) -> None:
    model = write_artifact(tmp_path / "model")
    (model / "model.onnx").write_bytes(b"changed")
    rehearse = ("rehearse", "--folder", tmp_path / "new")

    assert "does not exist" in kennel(*rehearse, "--data", tmp_path / "missing")
    assert "There is no model in" in kennel(*rehearse, "--model", tmp_path / "missing")
    assert "is a file. Unpack it" in kennel(*rehearse, "--model", file)
    assert "has the SHA-256" in kennel(*rehearse, "--model", model)
    assert f"{file} is a file" in kennel("rehearse", "--folder", file / "new")
    assert not (tmp_path / "new").exists()


def test_a_rehearsal_without_files_of_the_user_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.rehearse.without_aws.rehearse", lambda *_: [])
    plan = Plan(folder=tmp_path / "new", pretrained="none", without_aws=True)

    assert run.rehearse(plan, Console(file=io.StringIO())) == []


def test_a_check_and_a_report_look_at_where_they_will_write_first(
    kennel: Callable[..., str], tmp_path: Path, file: Path
) -> None:
    photos = write_photos(tmp_path / "photos")

    assert f"{file} is a file" in kennel("data", "check", photos, "--sheet", file / "sheet.png")
    assert "sheet.xyz does not end with .png" in kennel("data", "check", photos, "--sheet", tmp_path / "sheet.xyz")
    assert f"{file} is a file" in kennel("report", "s3://bucket/job/output/output.tar.gz", "--to", file)
    assert f"{file} is a file" in kennel("data", "sample", file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(OutputPathError, match="no permission"):
        check_folder(tmp_path / "a" / "b")


def test_a_folder_that_can_be_made_is_accepted(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    check_file(tmp_path / "a" / "sheet.PNG", suffix=".png")

    assert list(tmp_path.iterdir()) == []


def test_a_link_to_nothing_and_a_folder_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    (tmp_path / "folder.png").mkdir()

    with pytest.raises(OutputPathError, match="a link to something that does not exist"):
        check_folder(tmp_path / "link" / "a")
    with pytest.raises(OutputPathError, match="is a folder"):
        check_file(tmp_path / "folder.png", suffix=".png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        words = [sys.executable, "-c", "from ops.cli import main; main()", "why", "ResourceLimitExceeded"]
        ran = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert ran.returncode == 1
    assert ran.stderr == (
        "kennel: What this command writes has no space left (No space left on device). Free some space, then try "
        "again.\n"
    )


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("data upload dogImages", "continues where this one stopped"),
        ("--env production weights upload", "continues where this one stopped"),
        ("data split Images dogImages", "Nothing was written"),
        ("rehearse --full", "begins a new rehearsal"),
        ("capacity --rps 5", "The same command begins again."),
        ("sweep --yes", "The same command begins again."),
        ("retrain --yes", "If the training job was started, it goes on, and the same command follows it."),
    ],
)
def test_an_interrupted_command_says_what_it_does_next(words: str, then: str) -> None:
    assert then in cli._next_run(["kennel", *words.split()])


def test_an_error_of_the_system_names_the_path_and_no_number(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError) as caught:
        Path(__file__, "a").read_bytes()

    assert is_sentence(caught.value)
    assert sentence(caught.value).startswith(f"{__file__}/a: Not a directory. Name another path")
    with pytest.raises(FileNotFoundError) as both:
        (tmp_path / "a").rename(tmp_path / "b")
    assert sentence(both.value).startswith(f"{tmp_path}/a and {tmp_path}/b: No such file or directory.")
