"""The photos of a data folder, and how broken ones are handled."""

import os
from pathlib import Path

import pytest
import torch

from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from inference.photo.preprocessing import Preprocessing
from ops.views.training_log import fields_of
from tests.builders import detailed, encoded
from tests.distributed.dogs import any_photo, cut_off, spoil, write_photos
from training.data.batches import agree_on_skipped
from training.data.dataset import DataError, DataSet, scan
from training.data.folders import by_suffix
from training.data.reading import read_square, read_whole
from training.distributed import World

SMALL = Preprocessing.for_size(32)


def names(data: DataSet, split: str) -> list[str]:
    return [data.name(photo) for photo in data.splits[split]]


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        scan(folder)
    return str(caught.value)


def test_the_folders_are_the_breeds(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    assert data.labels == ("Beagle", "Collie", "Pug")
    assert {split: len(photos) for split, photos in data.splits.items()} == {"train": 18, "valid": 9, "test": 9}
    assert [photo.label for photo in data.splits["test"]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_udacitys_numbers_are_not_part_of_a_breeds_name(tmp_path: Path) -> None:
    assert scan(write_photos(tmp_path, prefixes=True)).labels == ("Beagle", "Collie", "Pug")


def test_numbers_are_kept_if_names_would_be_equal_without_them(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        for breed in ("001.Pug", "002.Pug"):
            (tmp_path / split / breed).mkdir(parents=True)
            (tmp_path / split / breed / "a.jpg").write_bytes(any_photo())
    assert scan(tmp_path).labels == ("001.Pug", "002.Pug")


@pytest.mark.parametrize("suffix", [".jfif", ".JFIF", ".jpe", ".pjpeg", ".pjp", ".JPG", ".jpeg"])
def test_every_name_that_a_jpeg_may_have_is_read(tmp_path: Path, suffix: str) -> None:
    """Browsers on Windows save JPEGs as .jfif. Half of the photos have such a name here."""
    before = scan(write_photos(tmp_path))
    for path in sorted(tmp_path.glob("*/*/*.jpg"))[::2]:
        path.rename(path.with_suffix(suffix))
    after = scan(tmp_path)

    assert {split: len(after.splits[split]) for split in after.splits} == {"train": 18, "valid": 9, "test": 9}
    assert not after.not_read
    assert all(read_square(after, photo, SMALL) is not None for photo in after.splits["train"])
    assert before.labels == after.labels


def test_files_that_are_not_taken_for_photos_are_counted_by_suffix(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for name in ("train/Pug/a.heic", "train/Pug/b.HEIC", "valid/Pug/c.gif", "test/Beagle/README", "train/Pug/.hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "train/Pug/folder.gif").mkdir()

    assert scan(tmp_path).not_read == {".heic": 2, ".gif": 1, "no-suffix": 1}


def test_a_breed_without_photos_is_refused_with_what_its_folder_has(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for path in (tmp_path / "train/Pug").iterdir():
        path.rename(path.with_suffix(".heic"))

    assert "but other files (.heic:6)" in refusal(tmp_path)


def test_a_split_without_photos_is_refused_with_what_it_has(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for path in tmp_path.glob("test/*/*.jpg"):
        path.rename(path.with_suffix(".gif"))

    assert "but other files (.gif:9)" in refusal(tmp_path)


def test_only_the_most_frequent_suffixes_are_named() -> None:
    files = {f".{number}": number for number in range(1, 16)}

    assert by_suffix(files).split()[:2] == [".15:15", ".14:14"]
    assert by_suffix(files).split()[-2:] == [".6:6", "others:15"]


def test_training_logs_what_it_did_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(tmp_path)
    for name in ("train/Pug/a.heic", "train/Pug/b.heic", "valid/Pug/c.gif"):
        (tmp_path / name).write_bytes(b"x")
    agree_on_skipped(scan(tmp_path), World(0, 1, torch.device("cpu")))

    line = fields_of(capsys.readouterr().out.splitlines()[-1])
    assert line == {"stage": "photos", "skipped": "0", "used": "36", "not_read": ".heic:2 .gif:1"}


@pytest.mark.parametrize(("format", "name"), [("PNG", "a.jpg"), ("WEBP", "a.png"), ("JPEG", "a.webp")])
def test_the_content_of_a_photo_decides_and_not_its_name(tmp_path: Path, format: str, name: str) -> None:
    write_photos(tmp_path)
    (tmp_path / "train/Pug" / name).write_bytes(encoded(detailed((64, 64)), format))
    data = scan(tmp_path)

    photo = next(photo for photo in data.splits["train"] if photo.path.name == name)
    assert read_square(data, photo, SMALL) is not None
    assert not data.skipped


@pytest.mark.parametrize(("format", "remedy"), [("GIF", "save it as PNG or JPEG"), ("AVIF", "export it as JPEG")])
def test_another_type_that_is_named_jpg_is_skipped_with_what_it_is(tmp_path: Path, format: str, remedy: str) -> None:
    write_photos(tmp_path)
    (tmp_path / "train/Pug/0.jpg").write_bytes(encoded(detailed((64, 64)), format))
    data = scan(tmp_path)
    for photo in data.splits["train"]:
        read_square(data, photo, SMALL)

    assert data.skipped.keys() == {"train/Pug/0.jpg"}
    assert format in data.skipped["train/Pug/0.jpg"]
    assert remedy in data.skipped["train/Pug/0.jpg"]


def test_other_files_are_ignored(tmp_path: Path) -> None:
    before = scan(write_photos(tmp_path))
    pugs = tmp_path / "train" / "Pug"
    (pugs / "folder.jpg").mkdir()
    (pugs / "Thumbs.db").write_bytes(b"x")
    (pugs / "notes.txt").write_text("x")
    (pugs / "._0.jpg").write_bytes(b"what macOS puts into a zip")
    (pugs / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / ".ipynb_checkpoints" / "0.jpg").write_bytes(any_photo())
    after = scan(tmp_path)

    assert (after.splits, after.labels, after.digest()) == (before.splits, before.labels, before.digest())


def test_the_digest_changes_with_a_name_and_with_a_content_of_the_same_size(tmp_path: Path) -> None:
    photos = write_photos(tmp_path)
    digests = {scan(photos).digest()}
    (photos / "test" / "Pug" / "0.jpg").rename(photos / "test" / "Pug" / "9.jpg")
    digests.add(scan(photos).digest())
    content = (photos / "test" / "Pug" / "9.jpg").read_bytes()
    (photos / "test" / "Pug" / "9.jpg").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    digests.add(scan(photos).digest())
    assert len(digests) == 3


def test_a_file_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    photos = write_photos(tmp_path)
    odd = os.fsencode(photos / "train" / "Pug") + b"/caf\xe9.jpg"
    with open(odd, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(any_photo())
    data = scan(photos)
    assert len(data.splits["train"]) == 19
    assert len(data.digest()) == 16


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path / 'gone'} does not exist; name a folder" in refusal(tmp_path / "gone")


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_missing_split_is_refused(tmp_path: Path, split: str) -> None:
    write_photos(tmp_path)
    (tmp_path / split).rename(tmp_path / "other")
    assert f"has no {split} folder" in refusal(tmp_path)


@pytest.mark.parametrize("called", ["val", "validation"])
def test_valid_may_be_named_val_or_validation_and_is_the_same_data(tmp_path: Path, called: str) -> None:
    before = scan(write_photos(tmp_path))
    valid, digest = names(before, "valid"), before.digest()
    (tmp_path / "valid").rename(tmp_path / called)
    after = scan(tmp_path)

    assert (names(after, "valid"), after.digest()) == (valid, digest)
    assert [after.path(name) for name in valid] == [photo.path for photo in after.splits["valid"]]
    assert all(photo.path.is_file() for photo in after.splits["valid"])


def test_a_folder_named_valid_is_preferred_to_its_other_names(tmp_path: Path) -> None:
    before = scan(write_photos(tmp_path))
    (tmp_path / "val" / "Pug").mkdir(parents=True)
    (tmp_path / "val" / "Pug" / "0.jpg").write_bytes(any_photo())

    assert scan(tmp_path).splits == before.splits


def test_the_parent_of_a_data_folder_is_refused_with_the_path_of_the_folder(tmp_path: Path) -> None:
    write_photos(tmp_path / "dogImages")
    (tmp_path / "__MACOSX").mkdir()
    assert f"Its folder {tmp_path}/dogImages has them: name that folder." in refusal(tmp_path)


def test_the_parent_of_two_data_folders_suggests_neither(tmp_path: Path) -> None:
    write_photos(tmp_path / "dogs")
    write_photos(tmp_path / "cats")
    assert "name that folder" not in refusal(tmp_path)


@pytest.mark.parametrize(("breeds", "found"), [(0, "no breed"), (1, "only the breed Beagle")])
def test_fewer_than_two_breeds_are_refused(tmp_path: Path, breeds: int, found: str) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
    for breed in ["Beagle"][:breeds]:
        (tmp_path / "train" / breed).mkdir()
    assert found in refusal(tmp_path)


def test_a_breed_without_training_photos_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for photo in (tmp_path / "train" / "Pug").iterdir():
        photo.unlink()
    assert "train/Pug contains no photos" in refusal(tmp_path)


def test_a_split_without_photos_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path, counts={"train": 1, "valid": 0, "test": 1})
    assert "valid contains no photos" in refusal(tmp_path)


def test_a_breed_that_is_only_in_test_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path)
    (tmp_path / "test" / "Saluki").mkdir()
    assert "test/ has the breed Saluki" in refusal(tmp_path)


def test_a_breed_whose_name_cannot_be_printed_is_refused(tmp_path: Path) -> None:
    write_photos(tmp_path)
    os.mkdir(os.fsencode(tmp_path / "train") + b"/caf\xe9")  # noqa: PTH102 - pathlib takes no bytes
    (next(tmp_path.glob("train/caf*")) / "0.jpg").write_bytes(any_photo())
    assert "rename it" in refusal(tmp_path)


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_unusable_photos_are_skipped_with_a_reason_and_the_others_are_used(tmp_path: Path, mode: str) -> None:
    write_photos(tmp_path)
    spoil(tmp_path, "train/Pug/0.jpg")
    (tmp_path / "train/Pug/1.jpg").write_bytes(b"")
    (tmp_path / "train/Pug/2.jpg").write_bytes(b"GIF89a, in truth")
    data = scan(tmp_path)
    photos = data.splits["train"]
    found = [
        read_square(data, photo, SMALL) if mode == "frozen" else read_whole(data, photo, shorter_side=40)
        for photo in photos
    ]

    assert set(data.skipped) == {f"train/Pug/{index}.jpg" for index in range(3)}
    assert "no bytes" in data.skipped["train/Pug/1.jpg"]
    assert [pixels is None for pixels in found] == [name in data.skipped for name in names(data, "train")]
    assert len(data.used("train")) == 15


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_a_truncated_training_photo_is_used_and_recorded(tmp_path: Path, mode: str) -> None:
    cut_off(write_photos(tmp_path), "train/Pug/0.jpg", kept=0.9)
    data = scan(tmp_path)
    photos = data.splits["train"]
    found = [
        read_square(data, photo, SMALL) if mode == "frozen" else read_whole(data, photo, shorter_side=40)
        for photo in photos
    ]

    assert all(pixels is not None for pixels in found)
    assert data.skipped == {}
    assert data.truncated.keys() == {"train/Pug/0.jpg"}
    assert len(data.used("train")) == 18


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_photo_that_serving_would_refuse_is_not_evaluated(tmp_path: Path, split: str) -> None:
    cut_off(write_photos(tmp_path), f"{split}/Pug/0.jpg", kept=0.9)
    data = scan(tmp_path)
    for photo in data.splits[split]:
        read_square(data, photo, SMALL)

    assert data.skipped.keys() == {f"{split}/Pug/0.jpg"}
    assert data.truncated == {}


def test_the_pixels_of_a_truncated_photo_are_those_of_the_whole_one(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    photo = data.splits["train"][0]
    whole = read_whole(data, photo, shorter_side=48)
    cut_off(tmp_path, data.name(photo), kept=0.8)
    cut = read_whole(data, photo, shorter_side=48)

    assert whole is not None
    assert cut is not None
    assert whole.shape == cut.shape
    # exact: JPEG decoding is integer arithmetic, and the same decoder reads the same rows.
    assert (whole[:24] == cut[:24]).all()
    # exact: missing rows of a JPEG are decoded as grey, in whole numbers
    assert (cut[-4:, -4:] == 128).all()


def test_reading_a_truncated_photo_does_not_make_serving_lenient(tmp_path: Path) -> None:
    """Pillow's option for truncated photos applies to the whole process, and so to serving's decoder."""
    cut_off(write_photos(tmp_path), "train/Pug/0.jpg", kept=0.9)
    data = scan(tmp_path)
    for photo in data.splits["train"]:
        read_square(data, photo, SMALL)
    assert data.truncated
    with pytest.raises(PhotoError):
        decode((tmp_path / "train/Pug/0.jpg").read_bytes(), shorter_side=32)


def test_a_photo_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    data.splits["test"][0].path.unlink()
    assert read_square(data, data.splits["test"][0], SMALL) is None
    assert data.skipped == {"test/Beagle/0.jpg": "The file cannot be read (No such file or directory)."}


def test_a_breed_whose_training_photos_are_all_skipped_is_refused(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    data.skipped = {name: "broken" for name in names(data, "train") if "/Pug/" in name}
    with pytest.raises(DataError, match="No photo of Pug in train/"):
        data.check_usable()


def test_photos_are_kept_uncropped_and_at_most_at_the_requested_size(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    (tmp_path / "train/Beagle/0.jpg").write_bytes(any_photo(size=(300, 200)))
    shapes = [
        pixels.shape
        for photo in data.splits["train"][:2]
        if (pixels := read_whole(data, photo, shorter_side=100)) is not None
    ]
    assert shapes == [(100, 150, 3), (48, 60, 3)]
