"""`kennel data check` finds what would harm training, and calls nothing else an error."""

import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from ops import cli
from ops.data import check_file
from ops.data.check import Check, check
from ops.data.findings import Finding
from ops.data.table import print_check
from ops.views.data_sheet import data_sheet
from tests.builders import detailed, encoded

COUNTS = {"train": 10, "valid": 2, "test": 2}


def write_photos(
    folder: Path, *, counts: Mapping[str, int] = COUNTS, breeds: tuple[str, ...] = ("Beagle", "Pug")
) -> Path:
    """Photos without duplicates, large enough for no finding."""
    for breed_number, breed in enumerate(breeds):
        for split_number, (split, count) in enumerate(counts.items()):
            place = folder / split / breed
            place.mkdir(parents=True)
            for index in range(count):
                photo = detailed((150, 120), seed=10_000 * breed_number + 1000 * split_number + index)
                (place / f"{index}.jpg").write_bytes(encoded(photo, "JPEG"))
    return folder


def found(checked: Check) -> dict[str, Finding]:
    return {finding.code: finding for finding in checked.findings}


def printed(checked: Check) -> str:
    """What the command prints, in lines that are never wrapped."""
    console = Console(file=io.StringIO(), width=1000)
    print_check(checked, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def saved_again(path: Path, target: Path, change: Callable[[Image.Image], Image.Image], quality: int = 60) -> None:
    with Image.open(path) as photo:
        change(photo.convert("RGB")).save(target, "JPEG", quality=quality)


def test_sound_photos_give_no_finding(tmp_path: Path) -> None:
    checked = check(write_photos(tmp_path))
    assert list(checked.findings) == []
    assert checked.passed
    assert checked.counts() == {breed: {"train": 10, "valid": 2, "test": 2} for breed in ("Beagle", "Pug")}


def test_the_udacity_layout_is_read_too(tmp_path: Path) -> None:
    checked = check(write_photos(tmp_path, breeds=("001.Affenpinscher", "002.Afghan_hound")))
    assert list(checked.counts()) == ["Affenpinscher", "Afghan_hound"]
    assert checked.passed


@pytest.mark.parametrize(("format", "remedy"), [("GIF", "save it as PNG or JPEG"), ("AVIF", "export it as JPEG")])
def test_photos_of_another_type_are_an_error_that_names_it_and_the_remedy(
    tmp_path: Path, format: str, remedy: str
) -> None:
    """To copy them again cannot help."""
    write_photos(tmp_path)
    for path in tmp_path.glob("train/*/*.jpg"):
        if path.stem != "0":
            path.write_bytes(encoded(detailed((150, 120), seed=int(path.stem)), format))
    (tmp_path / "train/Pug/0.jpg").write_bytes(b"")
    summary = found(check(tmp_path))["many_unusable"].summary

    assert summary.startswith(
        "19 of 20 photos in train/ cannot be decoded, for 2 reasons. The most frequent one, of 18: "
    )
    assert format in summary
    assert remedy in summary
    assert "copy" not in summary


def test_photos_whose_names_are_not_a_photos_are_found_by_their_content(tmp_path: Path) -> None:
    write_photos(tmp_path)
    (tmp_path / "train/Pug/0.jpg").rename(tmp_path / "train/Pug/0.jpg_large")
    (tmp_path / "train/Pug/1.jpg").rename(tmp_path / "train/Pug/1")
    (tmp_path / "train/Pug/a.gif").write_bytes(encoded(detailed((150, 120)), "GIF"))
    os.mkfifo(tmp_path / "train/Pug/pipe")
    warnings = found(check(tmp_path))

    assert warnings["misnamed"].photos == [["train/Pug/0.jpg_large"], ["train/Pug/1"]]
    assert "suffix .jpg" in warnings["misnamed"].summary
    assert warnings["unknown_files"].photos == [["train/Pug/a.gif"], ["train/Pug/pipe"]]


def test_unusable_photos_are_named_with_the_reason(tmp_path: Path) -> None:
    write_photos(tmp_path, counts={"train": 30, "valid": 2, "test": 2})
    (tmp_path / "train/Pug/0.jpg").write_bytes(b"")
    whole = (tmp_path / "train/Pug/1.jpg").read_bytes()
    (tmp_path / "train/Pug/1.jpg").write_bytes(whole[: int(len(whole) * 0.9)])
    checked = check(tmp_path)

    assert checked.passed
    assert found(checked).keys() == {"unusable", "truncated"}
    assert found(checked)["unusable"].photos[0][0].startswith("train/Pug/0.jpg: The photo has no bytes")
    assert found(checked)["truncated"].photos[0][0].startswith("train/Pug/1.jpg: 9")


def test_many_unusable_photos_are_an_error(tmp_path: Path) -> None:
    write_photos(tmp_path)
    (tmp_path / "test/Pug/0.jpg").write_bytes(b"<html>Sign in to download</html>")
    finding = found(check(tmp_path))["many_unusable"]
    assert finding.severity == "error"
    assert finding.summary.startswith("1 of 4 photos in test/ cannot be decoded: The file is a web page")


def test_a_breed_with_no_usable_training_photo_is_an_error(tmp_path: Path) -> None:
    for photo in (write_photos(tmp_path) / "train/Pug").iterdir():
        photo.write_bytes(b"")
    missing = found(check(tmp_path))["no_usable_photos"]
    assert missing.severity == "error"
    assert "Pug" in missing.summary


def test_a_damaged_copy_is_reported_as_errors(tmp_path: Path) -> None:
    for photo in write_photos(tmp_path / "photos").rglob("*.jpg"):
        photo.write_bytes(b"<html>Sign in to download</html>")
    checked = check(tmp_path / "photos")
    data_sheet(checked, tmp_path / "sheet.png")

    assert {finding.code for finding in checked.findings if finding.severity == "error"} == {
        "no_usable_photos",
        "many_unusable",
    }


def test_tiny_and_grey_photos_are_warnings(tmp_path: Path) -> None:
    write_photos(tmp_path)
    small = tmp_path / "train/Pug/4.jpg"
    saved_again(small, small, lambda photo: photo.resize((80, 64)))
    grey = tmp_path / "test/Pug/1.jpg"
    saved_again(grey, grey, lambda photo: photo.convert("L").convert("RGB"), quality=95)
    checked = check(tmp_path)

    assert checked.passed
    assert {code: finding.photos for code, finding in found(checked).items()} == {
        "tiny": [["train/Pug/4.jpg"]],
        "greyscale": [["test/Pug/1.jpg"]],
    }


def test_files_of_other_types_are_counted_by_suffix_with_an_example_of_each(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for name in ("train/Pug/a.heic", "train/Pug/b.HEIC", "test/Pug/x.gif", "train/notes.txt", "valid/Beagle/noname"):
        (tmp_path / name).write_bytes(b"x")
    for passed_over in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "train/Pug" / passed_over).write_bytes(b"x")
    checked = check(tmp_path)

    assert checked.passed
    assert found(checked).keys() == {"unknown_files"}
    finding = found(checked)["unknown_files"]
    assert finding.summary.startswith("5 files are of a type that training does not read (2 .heic, ")
    assert "1 without a suffix" in finding.summary
    assert {Path(group[0]).suffix.lower() for group in finding.photos[:4]} == {".heic", ".gif", ".txt", ""}
    assert len(finding.photos) == 5


def test_photos_at_another_depth_are_counted_by_folder(tmp_path: Path) -> None:
    write_photos(tmp_path)
    photo = detailed((150, 120), seed=99)
    for name in ("train/Pug/more/1.jpg", "train/Pug/more/2.jpg", "train/Pug/more/still/3.jpg", "test/loose.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded(photo, "JPEG"))
    checked = check(tmp_path)

    assert checked.passed
    assert found(checked).keys() == {"misplaced"}
    assert "4 photos are not directly in a breed's folder" in found(checked)["misplaced"].summary
    assert "(2 in train/Pug/more/, 1 in train/Pug/more/still/, 1 in test/)" in found(checked)["misplaced"].summary


def test_photos_in_val_are_misplaced_if_valid_exists(tmp_path: Path) -> None:
    write_photos(tmp_path)
    shutil.copytree(tmp_path / "valid", tmp_path / "val")
    summary = found(check(tmp_path))["misplaced"].summary
    assert "2 in val/Beagle/" in summary
    assert "not directly in a breed's folder of train/, valid/ or test/" in summary  # they are in one of val/


def test_the_image_of_the_findings_does_not_wait_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(write_photos(tmp_path / "data") / "train/Pug/pipe.jpg")
    checked = check(tmp_path / "data")
    drawn = Thread(target=data_sheet, args=(checked, tmp_path / "sheet.png"), daemon=True)
    drawn.start()
    drawn.join(60)

    assert found(checked)["broken_links"].photos == [["train/Pug/pipe.jpg"]]
    assert (tmp_path / "sheet.png").exists()


def test_a_broken_symbolic_link_is_reported(tmp_path: Path) -> None:
    (write_photos(tmp_path) / "train/Pug/gone.jpg").symlink_to("nowhere")
    assert found(check(tmp_path)).keys() == {"broken_links"}
    assert found(check(tmp_path))["broken_links"].photos == [["train/Pug/gone.jpg"]]


def test_a_breeds_folder_may_be_a_symbolic_link(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    (tmp_path / "photos/train/Pug").rename(tmp_path / "pugs")
    (tmp_path / "photos/train/Pug").symlink_to(tmp_path / "pugs")
    (tmp_path / "pugs/a.tif").write_bytes(b"x")
    assert found(check(tmp_path / "photos"))["unknown_files"].photos == [["train/Pug/a.tif"]]


def test_val_is_read_and_drawn_as_valid(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    shutil.copy(tmp_path / "photos/train/Beagle/3.jpg", tmp_path / "photos/valid/Beagle/copy.jpg")
    sheets = []
    for renamed in (False, True):
        if renamed:
            (tmp_path / "photos/valid").rename(tmp_path / "photos/val")
        checked = check(tmp_path / "photos")
        assert found(checked)["identical_leak"].photos == [["train/Beagle/3.jpg", "valid/Beagle/copy.jpg"]]
        data_sheet(checked, tmp_path / "sheet.png")
        sheets.append((tmp_path / "sheet.png").read_bytes())
    assert sheets[0] == sheets[1]


def test_few_uneven_and_absent_photos_are_warnings(tmp_path: Path) -> None:
    write_photos(tmp_path, counts={"train": 22, "valid": 1, "test": 1})
    for index in range(2, 22):
        (tmp_path / f"train/Pug/{index}.jpg").unlink()
    (tmp_path / "valid/Pug/0.jpg").unlink()
    checked = check(tmp_path)

    assert checked.passed
    assert found(checked).keys() == {"few_photos", "imbalance", "no_valid"}
    summary = found(checked)["few_photos"].summary
    assert summary == "1 breed has fewer than 10 training photos. Add photos of it."
    assert "Beagle has 22 training photos and Pug 2" in found(checked)["imbalance"].summary


def test_progress_counts_the_photos(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    check(write_photos(tmp_path), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 28) for done in range(1, 29)]


def test_the_json_names_every_photo(tmp_path: Path) -> None:
    write_photos(tmp_path)
    odd = os.fsencode(tmp_path / "train" / "Pug") + b"/caf\xe9.jpg"
    with open(odd, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"")
    for index in range(9):
        (tmp_path / f"train/Pug/{index}.jpg").write_bytes(b"")
    document = json.loads(check_file.as_json(check(tmp_path)))

    assert document["passed"] is False
    assert document["folder"] == str(tmp_path)
    assert document["counts"]["Pug"] == {"train": 11, "valid": 2, "test": 2}
    assert len(next(each for each in document["findings"] if each["code"] == "unusable")["photos"]) == 10


def test_the_command_prints_a_table_and_a_sentence_for_each_finding(tmp_path: Path) -> None:
    write_photos(tmp_path, breeds=("Beagle", "Pug[bold]"))
    shutil.copy(tmp_path / "train/Beagle/3.jpg", tmp_path / "test/Beagle/copy.jpg")
    for index in range(8):
        grey = tmp_path / f"train/Pug[bold]/{index}.jpg"
        saved_again(grey, grey, lambda photo: photo.convert("L").convert("RGB"), quality=95)
    console = Console(file=io.StringIO(), width=120)
    print_check(check(tmp_path), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]

    assert "Pug[bold]" in printed
    assert "train/Beagle/3.jpg  =  test/Beagle/copy.jpg" in printed
    assert "and 3 more" in printed
    assert "1 error: correct the photos" in printed


def test_the_table_counts_one_breed_in_the_singular(tmp_path: Path) -> None:
    write_photos(tmp_path, breeds=("Beagle",))
    console = Console(file=io.StringIO(), width=120)
    print_check(check(tmp_path), console)

    assert "1 breed " in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_sheet_shows_each_finding_and_each_breed(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    shutil.copy(tmp_path / "photos/train/Beagle/3.jpg", tmp_path / "photos/test/Beagle/copy.jpg")
    (tmp_path / "photos/train/Pug/0.jpg").write_bytes(b"")
    checked = check(tmp_path / "photos")
    data_sheet(checked, tmp_path / "new" / "sheet.png")
    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        pixels = np.asarray(sheet.convert("RGB"))
        tile = pixels[144:280, 52:188]  # the leak is the first thing on it
        copy = pixels[144:280, 192:328]
    assert pixels.shape[1] == 1600
    assert tile.std() > 20
    # exact: both tiles are drawn from copies of one file, in whole numbers
    assert (tile == copy).all()


def test_a_sheet_without_all_breeds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = write_photos(tmp_path / "photos", breeds=("Beagle", "Pug", "Saluki"))
    headers = []
    for most in (3, 2):
        monkeypatch.setattr("ops.views.data_sheet._MOST_BREEDS", most)
        done = CliRunner().invoke(cli.app, ["data", "check", str(photos), "--sheet", str(tmp_path / "sheet.png")])
        assert done.exit_code == 0
        assert ("sheet.png, of the first 2 of 3 breeds" in done.stdout) == (most == 2)
        with Image.open(tmp_path / "sheet.png") as sheet:
            headers.append(sheet.crop((0, 70, 1600, 100)).tobytes())
    # exact: these are the pixels of two texts, which are whole numbers
    assert headers[0] != headers[1]


def test_the_file_says_which_photos_were_checked_and_whether_they_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data-check.json"
    checked = check(write_photos(tmp_path / "photos"))
    digest = checked.data.digest()
    assert check_file.verdict(digest, path) == "not checked"
    check_file.write(checked, path)
    assert check_file.verdict(digest, path) == "passed"
    assert check_file.verdict("0" * 16, path) == "not checked"
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # written under another name, then renamed
    shutil.copy(tmp_path / "photos/train/Pug/0.jpg", tmp_path / "photos/test/Pug/leak.jpg")
    with_leak = check(tmp_path / "photos")
    check_file.write(with_leak, path)
    assert check_file.verdict(with_leak.data.digest(), path) == "errors"
    assert check_file.verdict(digest, path) == "not checked"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"digest": "0000000000000000"}', b"\x89PNG"])
def test_another_file_counts_as_no_check(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data-check.json").write_bytes(content)
    assert check_file.verdict("0" * 16, tmp_path / "data-check.json") == "not checked"


@pytest.mark.parametrize("leak", [True, False])
def test_the_command_exits_with_1_if_there_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], leak: bool
) -> None:
    write_photos(tmp_path / "photos")
    if leak:
        shutil.copy(tmp_path / "photos/train/Pug/0.jpg", tmp_path / "photos/test/Pug/copy.jpg")
    sheet = tmp_path / "sheet.png"
    words = ["kennel", "data", "check", str(tmp_path / "photos"), "--sheet", str(sheet), "--json"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the tests' own Ctrl-C stays what it is
    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == int(leak)
    printed = json.loads(capsys.readouterr().out)
    assert printed["passed"] is not leak
    assert sheet.exists()
    assert json.loads(sheet.with_suffix(".json").read_text()) == printed


@pytest.mark.parametrize("sheet", ["data-check.png", "other.png"])
def test_the_command_says_which_findings_an_upload_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: str
) -> None:
    write_photos(tmp_path / "photos")
    read = tmp_path / "data-check.json"
    monkeypatch.setattr("ops.commands.data.CHECK_FILE", read)
    words = ["data", "check", str(tmp_path / "photos"), "--sheet", str(tmp_path / sheet)]
    printed = CliRunner().invoke(cli.app, words, env={"COLUMNS": "200"}).stdout

    sentence = f"The findings are in {tmp_path / 'other.json'}; `kennel data upload` reads {read} alone.\n"
    assert (sentence in printed) is (sheet == "other.png")
    assert read.exists() is (sheet == "data-check.png")


def test_a_picture_may_not_replace_the_file_with_the_findings(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["data", "check", str(tmp_path), "--sheet", str(tmp_path / "a.json")])
    assert done.exit_code == 2
    assert "Name a PNG" in done.output
