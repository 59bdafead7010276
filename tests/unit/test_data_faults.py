"""`kennel data check` reports all faults of a folder at once, always as JSON with --json. Training refuses the same."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from contract.names import alike, same_text
from ops import cli
from ops.data.breed_names import breed_names
from ops.data.check import check
from tests.distributed.dogs import any_photo
from tests.unit.test_data_check import write_photos
from training.data.dataset import DataError, scan


def report(folder: Path, sheet: Path) -> tuple[int, dict[str, Any]]:
    """The exit status and the JSON of `kennel data check FOLDER --json`."""
    done = CliRunner().invoke(cli.app, ["data", "check", str(folder), "--json", "--sheet", str(sheet)])
    document: dict[str, Any] = json.loads(done.stdout)
    return done.exit_code, document


def codes(document: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in document["findings"] if finding["severity"] == "error"]


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def a_file(folder: Path) -> None:
    no_folder(folder)
    folder.write_bytes(b"")


def no_test_folder(folder: Path) -> None:
    (folder / "test").rename(folder / "other")


def nothing(folder: Path) -> None:
    no_folder(folder)
    folder.mkdir()


def one_breed(folder: Path) -> None:
    for split in ("train", "valid", "test"):
        shutil.rmtree(folder / split / "Beagle")


def an_empty_breed(folder: Path) -> None:
    (folder / "train" / "Saluki").mkdir()


def an_empty_split(folder: Path) -> None:
    for photo in (folder / "valid").rglob("*.jpg"):
        photo.unlink()


def an_untrained_breed(folder: Path) -> None:
    (folder / "test" / "Saluki").mkdir()


def two_folders_of_a_breed(folder: Path) -> None:
    for name in ("L\u00f6wchen", "Lo\u0308wchen"):
        (folder / "train" / name).mkdir()
        (folder / "train" / name / "0.jpg").write_bytes(any_photo(size=(150, 120)))


def a_name_that_reorders_the_line(folder: Path) -> None:
    (folder / "train" / "Pug\u202egup").mkdir()


def a_name_of_two_lines(folder: Path) -> None:
    (folder / "train" / "Pug\nerror").mkdir()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (no_folder, "no_folder"),
        (a_file, "no_folder"),
        (nothing, "missing_splits"),
        (no_test_folder, "missing_splits"),
        (one_breed, "few_breeds"),
        (an_empty_breed, "empty_breeds"),
        (an_empty_split, "empty_split"),
        (an_untrained_breed, "untrained_breeds"),
        (two_folders_of_a_breed, "same_folder"),
        (a_name_that_reorders_the_line, "unprintable_name"),
        (a_name_of_two_lines, "unprintable_name"),
    ],
)
def test_each_fault_is_an_error_of_the_check_and_refused_by_training_with_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(write_photos(tmp_path / "photos"))
    status, document = report(tmp_path / "photos", tmp_path / "sheet.png")

    assert status == 1
    assert document["passed"] is False
    assert codes(document) == [code]
    assert json.loads((tmp_path / "sheet.json").read_text()) == document
    with pytest.raises(DataError) as refused:
        scan(tmp_path / "photos")
    assert str(refused.value) == document["findings"][0]["summary"]


def test_all_faults_and_the_faults_of_the_photos_are_reported_at_once(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos")
    for spoil in (no_test_folder, an_empty_breed, two_folders_of_a_breed, a_name_of_two_lines):
        spoil(photos)
    (photos / "valid" / "pug").mkdir()
    (photos / "train/Pug/0.jpg").write_bytes(b"")
    shutil.copy(photos / "train/Pug/1.jpg", photos / "valid/Pug/copy.jpg")
    _, document = report(photos, tmp_path / "sheet.png")

    assert codes(document) == [
        *("missing_splits", "same_folder", "unprintable_name", "empty_breeds", "untrained_breeds", "same_name"),
        "identical_leak",
    ]
    assert "unusable" in [finding["code"] for finding in document["findings"]]
    assert document["counts"]["Pug"] == {"train": 10, "valid": 3, "test": 0}
    with pytest.raises(DataError, match=r"\(Other errors: 4; `kennel data check` lists them\.\)"):
        scan(photos)


@contextmanager
def without_rights_of_root() -> Iterator[None]:
    """Root can read every folder, so another user looks."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("place", ["", "valid", "train/Pug"])
@pytest.mark.parametrize("mode", [0o000, stat.S_IRUSR | stat.S_IROTH])
def test_a_folder_that_cannot_be_read_is_an_error_that_names_it(place: str, mode: int) -> None:
    """With the second mode its names can be listed, and nothing in it can be opened."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        photos = write_photos(Path(folder) / "dogs")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        (photos / place).chmod(mode)
        try:
            with without_rights_of_root():
                checked = check(photos)
        finally:
            (photos / place).chmod(0o755)
    (error,) = [finding for finding in checked.findings if finding.code == "unreadable"]
    assert str(photos / place) in error.summary
    assert not checked.passed


def test_the_table_is_printed_without_training_photos(tmp_path: Path) -> None:
    shutil.rmtree(write_photos(tmp_path / "photos") / "train")
    words = ["data", "check", str(tmp_path / "photos"), "--sheet", str(tmp_path / "sheet.png")]
    done = CliRunner().invoke(cli.app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert "has no train folder" in done.stdout
    assert "1 error: correct the photos, then check again." in done.stdout


def found(*breeds: str) -> dict[str, list[list[str]]]:
    return {finding.code: [list(group) for group in finding.photos] for finding in breed_names(breeds)}


@pytest.mark.parametrize(
    "other",
    [
        "saint bernard",
        "Saint_Bernard",
        "Saint-Bernard",
        "Saint  Bernard",
        "Saint Bernard.",
        "Saint\u00a0Bernard",
        "Saint\u2011Bernard",
        "\uff33aint Bernard",  # full-width S
        "Saint Ber\u200cnard",  # a joiner that has no effect between these letters
    ],
)
def test_names_that_differ_in_what_a_reader_does_not_see_are_an_error(other: str) -> None:
    assert found("Pug", "Saint Bernard", other) == {
        "same_name": [["Saint Bernard", other]],
        **({"name_ends": [[other]]} if other.endswith(".") else {}),
    }


@pytest.mark.parametrize(
    "breeds",
    [
        ("Pug", "Puggle"),
        ("Épagneul breton", "Epagneul breton"),  # another word to a reader, who sees the accent
        ("\u0633\u06af\u200c\u06af\u0644\u0647", "\u0633\u06af"),  # sheepdog, with the joiner of Persian, and dog
        ("\U0001f415\u200d\U0001f9ba", "\U0001f429"),  # a service dog: two emoji and a joiner
        ("Лайка", "Бигль"),
        ("柴犬", "秋田犬", "Shiba 柴犬"),
        ("Alaskan Маламут", "Pug"),
    ],
)
def test_good_names_give_no_finding_and_can_be_trained_on(tmp_path: Path, breeds: tuple[str, ...]) -> None:
    assert found(*breeds) == {}
    for split in ("train", "valid", "test"):
        for breed in breeds:
            (tmp_path / split / breed).mkdir(parents=True)
            (tmp_path / split / breed / "0.jpg").write_bytes(any_photo())
    assert sorted(scan(tmp_path).labels) == sorted(map(same_text, breeds))


@pytest.mark.parametrize("name", ["Be\u0430gle", "\u0391kita", "B\u043exer"])
def test_a_letter_of_another_script_within_a_word_is_a_warning_with_its_code_point(name: str) -> None:
    (warning,) = breed_names(["Pug", name])
    assert (warning.severity, warning.code) == ("warning", "mixed_scripts")
    assert f"(U+{next(ord(letter) for letter in name if not letter.isascii()):04X})" in warning.summary


@pytest.mark.parametrize("name", ["Pug ", " Pug", "Pug."])
def test_an_end_that_windows_removes_is_a_warning(name: str) -> None:
    assert found("Beagle", name) == {"name_ends": [[name]]}


@pytest.mark.parametrize("name", ["pug", "Pug_", "P\u200cug", "\uff30ug"])
def test_a_breed_that_train_has_under_a_similar_name_is_refused_with_that_name(tmp_path: Path, name: str) -> None:
    (write_photos(tmp_path) / "valid" / "Pug").rename(tmp_path / "valid" / name)
    with pytest.raises(DataError, match="If it is Pug of train/, give both folders the same name"):
        scan(tmp_path)


@given(st.text(min_size=1))
def test_forms_of_a_name_are_alike(name: str) -> None:
    assert alike(same_text(name)) == alike(name)
    assert alike(alike(name)) == alike(name)


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.text(min_size=1))
def test_names_that_are_alike_are_compared_by_letters(one: str, other: str) -> None:
    assert alike(one) == one.lower()
    if alike(one) == alike(other):
        assert len([letter for letter in other if letter.isalnum()]) <= len(one)
