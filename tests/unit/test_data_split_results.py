"""What `kennel data split` writes, where, and what it refuses to write."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from ops import cli
from ops.data.split.errors import SplitError
from ops.data.split.write import write
from ops.output_path import OutputPathError
from tests.builders import detailed, encoded
from tests.unit.split_source import Photos, contents, kennel, plan, written
from training.data.dataset import scan


@pytest.fixture
def source(tmp_path: Path) -> Photos:
    return Photos(tmp_path / "source")


@pytest.mark.parametrize(
    ("option", "links", "is_link"),
    [((), 2, False), (("--link",), 2, False), (("--copy",), 1, False), (("--symlink",), 1, True)],
)
def test_the_result_has_links_or_copies(
    source: Photos, tmp_path: Path, option: tuple[str, ...], links: int, is_link: bool
) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    result = kennel(source.folder, tmp_path / "result", *option)
    photo = next((tmp_path / "result/train/Pug").iterdir())

    assert result.exit_code == 0, result.output
    assert (photo.stat().st_nlink, photo.is_symlink()) == (links, is_link)
    assert len(scan(tmp_path / "result", links_to=source.folder).splits["train"]) == 16
    assert f"Next: kennel data check {tmp_path}/result" in result.output


def test_photos_that_cannot_be_linked_are_copied(
    source: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    source.breeds({"Pug": 10, "Beagle": 10})
    monkeypatch.setattr(os, "link", refused)  # as a file system without hard links does

    assert "(20 copies)" in kennel(source.folder, tmp_path / "result").output
    refusal = kennel(source.folder, tmp_path / "other", "--link")
    assert isinstance(refusal.exception, SplitError)
    assert "Leave --link out" in str(refusal.exception)
    assert not (tmp_path / "other").exists()


def test_an_interrupted_split_leaves_nothing(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    planned = plan(source)
    place = tmp_path / "place"
    place.mkdir()

    def interrupt(done: int, _: int) -> None:
        if done == 7:
            assert any(place.iterdir())  # the hidden folder
            raise SystemExit(130)

    photos = {name: source.folder.joinpath(*photo.parts) for name, photo in planned.targets.items()}
    with pytest.raises(SystemExit):
        write(place / "new" / "result", photos, progress=interrupt)
    assert list(place.iterdir()) == []


def test_a_second_interrupt_does_not_stop_the_removal(
    source: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.breeds({"Pug": 2})
    place = tmp_path / "place"
    place.mkdir()
    remove = shutil.rmtree

    def interrupted(*words: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        remove(*words, **options)

    def interrupt(_: int, __: int) -> None:
        monkeypatch.setattr(shutil, "rmtree", interrupted)
        raise SystemExit(130)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        write(place / "result", {"train/Pug/0.jpg": source.folder / "Pug/0.jpg"}, progress=interrupt)
    assert list(place.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_pipe_among_the_photos_is_not_read(source: Photos) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    os.mkfifo(source.folder / "Pug/pipe.jpg")
    os.mkfifo(source.folder / "labels.csv")
    assert len(plan(source).targets) == 20


def test_photos_of_a_test_folder_without_breeds_are_left_out(source: Photos) -> None:
    source.breeds({"train/Pug": 10, "train/Beagle": 10, "test": 3})
    planned = plan(source)

    assert str(planned.source.layout) == "train/<breed>/, 2 breeds"
    assert planned.counts()["Pug"] == {"train": 8, "valid": 1, "test": 1}
    assert planned.source.left_out == {
        "photos not directly in a breed's folder": ["test/0.jpg", "test/1.jpg", "test/2.jpg"]
    }


def test_a_dry_run_prints_the_table_and_writes_nothing(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    before = sorted(tmp_path.rglob("*"))
    result = kennel(source.folder, tmp_path / "result", "--dry-run")

    assert result.exit_code == 0
    assert "16       2      2    20" in result.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_json_has_every_photo(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    document = json.loads(kennel(source.folder, tmp_path / "result", "--json", "--dry-run").stdout)

    assert document["counts"]["Pug"] == {"train": 8, "valid": 1, "test": 1}
    assert len(document["photos"]) == 20
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize(
    ("target", "what"),
    [("source", "would be in the source"), ("source/result", "would be in the source"), ("full", "is not empty")],
)
def test_a_result_in_the_source_or_in_a_used_folder_is_refused(
    source: Photos, tmp_path: Path, target: str, what: str
) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    refusal = kennel(source.folder, tmp_path / target)

    assert isinstance(refusal.exception, SplitError)
    assert what in str(refusal.exception)
    assert contents(tmp_path) == before


def test_an_empty_folder_is_filled(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    (tmp_path / "result").mkdir()
    assert kennel(source.folder, tmp_path / "result").exit_code == 0
    assert scan(tmp_path / "result").labels == ("Beagle", "Pug")


def test_links_out_of_the_source_are_left_out(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encoded(detailed((120, 100), seed=99), "JPEG"))
    (source.folder / "Pug/secret.jpg").symlink_to(secret)
    (source.folder / "Pug/gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (source.folder / "Pug/again.jpg").symlink_to(source.folder / "Pug/0.jpg")
    result = written(source, tmp_path / "result")

    left_out = plan(source).source.left_out["links to a folder, out of the source or to nothing"]
    assert left_out == ["Pug/gone.jpg", "Pug/secret.jpg"]
    names = {path.name for path in result.rglob("*.jpg")}
    assert "secret.jpg" not in names
    assert "again.jpg" in names


def test_a_breed_whose_name_would_change_the_terminal_is_refused(source: Photos) -> None:
    source.breeds({"Pug": 2, "Bea\x1b[31mgle": 2})
    with pytest.raises(SplitError, match=r"^The breed 'Bea\\x1b\[31mgle' has a name that cannot be printed"):
        plan(source)


def test_a_result_that_cannot_be_written_is_refused_before_photos_are_read(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    (tmp_path / "file").touch()
    refusal = kennel(source.folder, tmp_path / "file" / "result")

    assert isinstance(refusal.exception, OutputPathError)
    assert "Read and compare" not in refusal.output


def test_the_message_after_ctrl_c_says_that_nothing_was_written() -> None:
    assert cli._next_run(["kennel", "data", "split", "a", "b"]) == "Nothing was written. The same command begins again."
