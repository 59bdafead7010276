"""An error about a folder that training cannot read names the layout that it has, and the command that converts it."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.data.check import check
from ops.data.upload import upload
from tests.builders import any_photo
from training.data import layouts, tree
from training.data.dataset import DataError, scan


def write_photos(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(any_photo(detail_seed=number))


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        scan(folder)
    return str(error.value)


STANFORD = [f"Images/{breed}/{number}.jpg" for breed in ("n02085620-Pug", "n02111889-Samoyed") for number in range(6)]


@pytest.mark.parametrize(
    ("photos", "shown"),
    [
        (STANFORD, "Stanford Dogs: Images/<breed>/, 2 breeds"),
        (["Pug/1.jpg", "Beagle/1.jpg"], "<breed>/, 2 breeds"),
        (
            ["Train/Pug/1.jpg", "Train/Beagle/1.jpg", "Test/Pug/1.jpg"],
            "Train/<breed>/, Test/<breed>/, 2 breeds",
        ),
        (["train/Pug/1.jpg", "train/Beagle/1.jpg"], "train/<breed>/, 2 breeds"),
    ],
)
@pytest.mark.parametrize("reader", [scan, upload])
def test_the_layout_and_the_command_are_in_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: list[str], shown: str, reader: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "my photos", photos)
    with pytest.raises(DataError) as error:
        reader(Path("my photos"))

    sentence = f"It looks like {shown}. Convert it with: kennel data split 'my photos' dogImages"
    assert sentence in str(error.value)
    assert sentence in check(Path("my photos")).findings[0].summary


def test_the_command_in_the_error_works_as_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogImages").mkdir()  # the name of the result must be free
    write_photos(tmp_path / "my photos", STANFORD)
    command = refusal(Path("my photos")).partition("Convert it with: ")[2]
    words = shlex.split(command)
    result = CliRunner().invoke(cli.app, words[1:])

    assert result.exit_code == 0, result.output
    assert scan(Path(words[-1])).labels == ("Pug", "Samoyed")


def test_a_table_beside_a_flat_folder_is_seen(tmp_path: Path) -> None:
    write_photos(tmp_path, ["train/a.jpg", "train/b.jpg", "test/c.jpg"])
    (tmp_path / "labels.csv").write_text("id,breed\na,Pug\nb,Beagle\n")
    shown = "labels.csv with the labels of the photos in train/ and test/"
    assert f"It looks like Kaggle's dog breed identification: {shown}. Convert" in refusal(tmp_path)


def test_only_the_sentence_about_a_known_layout_is_reported(tmp_path: Path) -> None:
    write_photos(tmp_path, ["train/a.jpg", "train/b.jpg", "test/c.jpg"])
    (tmp_path / "labels.csv").write_text("id,breed\na,Pug\nb,Beagle\n")

    (only,) = check(tmp_path).findings

    assert (only.severity, only.code) == ("error", "missing_splits")
    assert "Convert it with: kennel data split" in only.summary
    assert "Other errors" not in refusal(tmp_path)


def test_a_link_out_of_a_known_layout_is_reported_too(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_photos(photos, ["train/Pug/1.jpg", "train/Beagle/1.jpg", "test/Pug/1.jpg"])
    write_photos(tmp_path / "elsewhere", ["a.jpg"])
    (photos / "train" / "Pug" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")

    codes = [finding.code for finding in check(photos).findings if finding.severity == "error"]

    assert sorted(codes) == ["link_out_of_the_folder", "missing_splits"]


def test_an_unknown_layout_is_shown(tmp_path: Path) -> None:
    write_photos(tmp_path, [f"cam/{day}/{number}/x/{number}.jpg" for day in ("mon", "tue") for number in range(3)])
    (tmp_path / "notes.txt").write_text("")
    shown = refusal(tmp_path)

    assert "Its layout is not a known one." in shown
    assert "\n  ./  1 other file\n  cam/mon/0/.../  1 photo\n" in shown


def test_what_an_unknown_layout_shows_is_short_and_printable(tmp_path: Path) -> None:
    write_photos(tmp_path, [f"{number}\x1b[31m/x/y/{number}.jpg" for number in range(50)])
    shown = refusal(tmp_path)

    assert "\x1b" not in shown
    assert "and 38 more folders" in shown


def test_a_folder_with_endless_files_is_not_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_MOST_ENTRIES", 20)
    write_photos(tmp_path, [f"Pug/{number}.jpg" for number in range(30)])
    assert "too many files" in refusal(tmp_path)
    assert tree.walk(tmp_path, most=20) is None


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_of_a_data_folder_is_refused_with_the_path_of_the_data_folder(tmp_path: Path, split: str) -> None:
    write_photos(
        tmp_path, [f"{name}/{breed}/1.jpg" for name in ("train", "valid", "test") for breed in ("Pug", "Boxer")]
    )
    assert f"Name the folder {tmp_path} that has them." in refusal(tmp_path / split)


def test_a_data_folder_two_levels_below_is_named(tmp_path: Path) -> None:
    names = [f"a/b/{name}/{breed}/1.jpg" for name in ("train", "val", "test") for breed in ("Pug", "Boxer")]
    write_photos(tmp_path, names)
    assert f"Its folder {tmp_path}/a/b has them: name that folder." in refusal(tmp_path)


def test_no_command_is_suggested_where_none_helps(tmp_path: Path) -> None:
    write_photos(tmp_path, [f"{name}/Pug/1.jpg" for name in ("train", "valid", "test")])
    assert "only the breed Pug" in refusal(tmp_path)
    assert "data split" not in refusal(tmp_path)
