"""`kennel predict`: files, folders, patterns and standard input; the other photos are answered where one fails."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from contract.text import UNPRINTABLE
from ops.model.photos import NamedPhoto, NamedPhotoError, named_photos
from tests.builders import any_photo, write_artifact

KENNEL = [sys.executable, "-c", "from ops.cli import main; main()", "predict"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("artifact") / "model")


def predict(*words: object, folder: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    ended = subprocess.run([*KENNEL, *map(str, words)], cwd=folder, input=stdin, capture_output=True, check=False)
    return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(any_photo())


def names(words: Sequence[str]) -> list[str]:
    return [photo.name for photo in named_photos(words)]


def test_a_folder_stands_for_its_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "dogs/b.jpg", "dogs/a.PNG", "dogs/pugs/c.webp", "dogs/.hidden/d.jpg", "dogs/._b.jpg", "dogs/e.txt")
    os.mkfifo(tmp_path / "dogs" / "pipe.jpg")

    assert names(["dogs"]) == ["dogs/a.PNG", "dogs/b.jpg", "dogs/pugs/c.webp"]


def test_a_pattern_stands_for_what_it_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "dogs/b.jpg", "dogs/a.jpg", "dogs/pugs/c.jpg", "dogs/d.png")
    os.mkfifo(tmp_path / "dogs" / "pipe.jpg")

    assert names(["dogs/*.jpg"]) == ["dogs/a.jpg", "dogs/b.jpg"]
    assert names(["dogs/**/*.jpg"]) == ["dogs/a.jpg", "dogs/b.jpg", "dogs/pugs/c.jpg"]
    assert names(["dogs/[ab].jpg", "dogs/a.jpg", "-"]) == ["dogs/a.jpg", "dogs/b.jpg", "-"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a[1].jpg", "a1.jpg")

    assert names(["a[1].jpg"]) == ["a[1].jpg"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("missing.jpg", "There is no such file"),
        ("nothing/*.jpg", "There is no such file"),
        ("empty", "The folder has no JPEG, PNG or WebP files"),
        ("broken.jpg", "There is no such file"),
        ("loop.jpg", "The file cannot be read (Too many levels of symbolic links)"),
        ("endless", "The file has more than 64 MiB, so it is no photo."),
        ("a.jpg/b.jpg", "The file cannot be read (Not a directory)"),
    ],
)
def test_a_photo_that_cannot_be_read_has_a_sentence(
    word: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").symlink_to("nothing")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "endless").symlink_to("/dev/zero")
    write(tmp_path, "a.jpg")
    (photo,) = named_photos([word])

    with pytest.raises(NamedPhotoError) as caught:
        photo.read()

    assert sentence in str(caught.value)
    assert "Errno" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_photo_without_permission_has_a_sentence(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    (tmp_path / "a.jpg").chmod(0)

    with pytest.raises(NamedPhotoError, match="permissions"):
        NamedPhoto(str(tmp_path / "a.jpg")).read()


def test_the_others_are_answered_where_one_fails(model: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "dogs/b.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")

    ended = predict("a.jpg", "missing.jpg", "broken.jpg", "dogs", "--model", model, folder=tmp_path)

    assert ended.returncode == 1
    assert [line.partition(",")[0] for line in ended.stdout.splitlines()] == [
        "a.jpg: Beagle 100.0%",
        "dogs/b.jpg: Beagle 100.0%",
    ]
    assert ended.stderr.splitlines() == [
        "missing.jpg: There is no such file. Name photos, folders, a pattern in quotes, or - for standard input.",
        "broken.jpg: The file is text; open it in an editor to read it, then copy or download the photo again.",
    ]


def test_a_photo_is_read_from_standard_input(model: Path, tmp_path: Path) -> None:
    ended = predict("-", "--model", model, folder=tmp_path, stdin=any_photo())

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("-: Beagle 100.0%")


def test_json_has_a_line_for_each_photo(model: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", os.fsdecode(b"caf\xe9.jpg"))

    ended = predict("a.jpg", "no\n.jpg", ".", "--model", model, "--json", "--top-k", 1, folder=tmp_path)

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, ended.stderr) == (1, "")
    assert [line["photo"] for line in lines] == ["a.jpg", "no\n.jpg", os.fsdecode(b"caf\xe9.jpg")]
    assert [sorted(line) for line in lines] == [["photo", "predictions"], ["error", "photo"], ["photo", "predictions"]]
    ((found,),) = [line["predictions"] for line in lines[:1]]
    assert found["breed"] == "Beagle"
    assert 0.99 < found["probability"] <= 1


def test_a_terminal_gets_a_table(model: Path, tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b.jpg")
    ours, theirs = pty.openpty()
    command = [*KENNEL, "a.jpg", "b.jpg", "--model", str(model)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}

    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as child:
        os.close(theirs)
        printed = b""
        while chunk := _read(ours):
            printed += chunk
        assert child.wait() == 0
    os.close(ours)

    text = printed.decode()
    assert "photo" in text
    assert text.count("100.0% Beagle") == 2


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's answer when the other end is closed
        return b""


def test_a_terminal_is_no_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())

    with pytest.raises(NamedPhotoError, match="pipe a photo"):
        NamedPhoto("-").read()


def test_no_model_is_refused_before_a_photo_is_read(tmp_path: Path) -> None:
    ended = predict("missing.jpg", "--model", f"no\x1b[2J{tmp_path.name}", folder=tmp_path)

    assert ended.returncode == 1
    assert ended.stderr.startswith("kennel: There is no no\\x1b[2J")
    assert UNPRINTABLE.findall(ended.stderr.replace("\n", "")) == []
