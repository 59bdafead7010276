"""Which photo `kennel data split` puts into which split, and which ones it leaves out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ops.data.check import check
from ops.data.split.errors import SplitError
from ops.data.split.labelled import read_source
from ops.data.split.plan import make_plan
from ops.data.split.shares import parse
from tests.unit.split_source import Photos, plan, rows, udacity, written


@pytest.fixture
def source(tmp_path: Path) -> Photos:
    return Photos(tmp_path / "source")


# -- splits that the source has --------------------------------------------------------------------------------------


def test_a_missing_split_is_taken_from_train_and_test_stays_as_it_is(source: Photos) -> None:
    source.breeds({"Train/Pug": 18, "Train/Beagle": 9, "Test/Pug": 4, "Test/Beagle": 5})
    planned = plan(source)

    assert planned.counts() == {
        "Beagle": {"train": 8, "valid": 1, "test": 5},
        "Pug": {"train": 16, "valid": 2, "test": 4},
    }
    assert {photo.parts[0] for name, photo in planned.targets.items() if name.startswith("test/")} == {"Test"}
    assert {photo.parts[0] for name, photo in planned.targets.items() if not name.startswith("test/")} == {"Train"}


def test_without_training_photos_nothing_is_moved_into_training(source: Photos) -> None:
    source.breeds({"test/Pug": 5, "test/Beagle": 5, "val/Pug": 5, "val/Beagle": 5})
    with pytest.raises(SplitError, match="has test and valid photos, and no training photos"):
        plan(source)


def test_a_training_photo_that_shows_the_same_as_a_test_photo_is_left_out(source: Photos) -> None:
    udacity(source)
    original = source.folder / "test/001.Affenpinscher/0.jpg"
    with Image.open(original) as photo:
        photo.resize((60, 50)).save(source.folder / "train/001.Affenpinscher/small.jpg", quality=80)
    shutil.copy(original, source.folder / "valid/001.Affenpinscher/copy.jpg")
    planned = plan(source)

    assert planned.source.left_out == {
        "photos that show the same as one in the source's test split": [
            "train/001.Affenpinscher/small.jpg",
            "valid/001.Affenpinscher/copy.jpg",
        ]
    }
    assert "test/001.Affenpinscher/0.jpg" in planned.targets


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("labels.csv", "is a table; name the folder that contains it and the photos, such as "),
        ("images.tar.gz", "is an archive; unpack it first, and name the folder"),
        ("dog.jpg", "is a file; name a folder of photos"),
        ("nothing.zip", "does not exist"),
    ],
)
def test_a_source_that_is_no_folder_is_refused_with_what_to_do(tmp_path: Path, name: str, sentence: str) -> None:
    if name != "nothing.zip":
        (tmp_path / name).write_bytes(b"")

    with pytest.raises(SplitError) as refused:
        read_source(tmp_path / name)

    assert f"The source {tmp_path / name} {sentence}" in str(refused.value)


def test_a_source_of_copies_is_refused_with_the_counts_and_what_to_do(source: Photos) -> None:
    source.breeds({"test/Beagle": 3, "test/Pug": 3})
    shutil.copytree(source.folder / "test", source.folder / "train")
    (source.folder / "train" / "Pug" / "broken.jpg").write_bytes(b"no photo")

    with pytest.raises(SplitError) as refused:
        plan(source)

    assert (
        "Left out: photos that show the same as one in the source's test split (6); photos that cannot be decoded (1); "
        in str(refused.value)
    )
    assert "name the folder of one split alone" in str(refused.value)
    assert "Add photos" not in str(refused.value)
    assert len(make_plan(source.folder / "test", shares=parse("34/33/33"), seed=0).targets) == 6


def test_a_source_whose_photos_cannot_be_decoded_is_refused_with_what_to_do(source: Photos) -> None:
    source.breeds({"Beagle": 1, "Pug": 1})
    for breed in ("Beagle", "Pug"):
        for number in range(3):
            (source.folder / breed / f"broken{number}.jpg").write_bytes(b"no photo")

    with pytest.raises(SplitError, match=r"photos that cannot be decoded \(6\)\. Download the photos again"):
        plan(source)


def test_a_table_whose_rows_have_no_breed_is_refused_with_that_reason(source: Photos) -> None:
    source.put("photos/a.jpg", "photos/b.jpg")
    source.text("labels.csv", rows([("a", "Beagle"), ("b", "")], "id,breed"))

    with pytest.raises(SplitError, match=r"only the breed Beagle; .* rows of labels\.csv without a breed \(1\)"):
        plan(source)


def test_a_breed_that_is_only_in_test_is_left_out(source: Photos) -> None:
    udacity(source)
    source.put("test/003.Airedale/0.jpg")
    planned = plan(source)

    assert list(planned.counts()) == ["001.Affenpinscher", "002.Afghan_hound"]
    assert planned.source.left_out == {"photos of a breed without training photos": ["test/003.Airedale/0.jpg"]}


# -- photos that show the same, and photos that cannot be used -------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_photos_that_show_the_same_are_in_one_split(source: Photos, tmp_path: Path, seed: int) -> None:
    source.breeds({"Pug": 10, "Beagle": 10})
    for number in range(10):
        with Image.open(source.folder / f"Pug/{number}.jpg") as photo:
            photo.resize((96, 80)).save(source.folder / f"Pug/{number}-small.jpg", quality=70)
        shutil.copy(source.folder / f"Pug/{number}.jpg", source.folder / f"Pug/{number}-copy.jpg")
    planned = plan(source, seed=seed)
    of_photo = {photo.name: name.partition("/")[0] for name, photo in planned.targets.items()}

    assert planned.kept_together == 10
    for number in range(10):
        assert len({of_photo[f"Pug/{number}{kind}.jpg"] for kind in ("", "-small", "-copy")}) == 1
    assert planned.counts()["Pug"] == {"train": 24, "valid": 3, "test": 3}


def test_an_identical_photo_under_two_breeds_is_left_out(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 12, "Beagle": 12})
    shutil.copy(source.folder / "Pug/0.jpg", source.folder / "Beagle/pug.jpg")
    result = written(source, tmp_path / "result")

    assert plan(source).source.left_out == {
        "identical photos under more than one breed": ["Beagle/pug.jpg", "Pug/0.jpg"]
    }
    assert check(result).passed


def test_files_that_training_does_not_read_are_counted_by_their_type(source: Photos) -> None:
    source.breeds({"Pug": 10, "Beagle": 10}).text("Pug/a.HEIC", "").text("Pug/b.heic", "").text("Beagle/c.gif", "")
    source.text("about.txt", "").text("annotations/Pug/0.xml", "")
    assert plan(source).source.left_out == {
        "files of a type that training does not read (2 .heic, 1 .gif)": ["Beagle/c.gif", "Pug/a.HEIC", "Pug/b.heic"]
    }


def test_a_row_whose_file_training_does_not_read_is_not_called_missing(source: Photos) -> None:
    source.put("train/a.jpg", "train/b.jpg")
    source.text("train/c.heic", "").text("labels.csv", "id,breed\na,Pug\nb,Beagle\nc,Pug\n")
    assert read_source(source.folder).left_out == {"files of a type that training does not read": ["train/c.heic"]}


def test_a_photo_that_cannot_be_decoded_is_left_out_and_a_truncated_one_is_trained_on(source: Photos) -> None:
    source.breeds({"Pug": 10, "Beagle": 10}).text("Pug/no.jpg", "no photo")
    for number in range(6):
        path = source.folder / f"Pug/{number}.jpg"
        path.write_bytes(path.read_bytes()[: int(0.9 * path.stat().st_size)])
    planned = plan(source, shares="50/25/25")

    (no_photo,) = planned.source.left_out["photos that cannot be decoded"]
    assert no_photo.startswith("Pug/no.jpg: ")
    trained = {photo.name for name, photo in planned.targets.items() if name.startswith("train/")}
    assert {f"Pug/{number}.jpg" for number in range(6)} <= trained


def test_breeds_too_small_for_three_splits_are_named(source: Photos) -> None:
    source.breeds({"Pug": 10, "Beagle": 2, "Saluki": 1, "Boxer": 3})
    planned = plan(source)

    assert planned.too_small() == ["Beagle", "Saluki"]
    assert planned.counts()["Beagle"] == {"train": 1, "valid": 0, "test": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beagle", "beagle"),
        ("Ca\u0303o", "C\u00e3o"),
        ("Fox Terrier", "fox_terrier"),
        ("Fox-Terrier", "Fox\u200d Terrier"),
    ],
)
def test_breeds_that_the_check_takes_for_one_are_one(source: Photos, one: str, other: str) -> None:
    source.breeds({"Zorro": 10, f"{one}": 6, f"{other}": 4})
    if len(list(source.folder.iterdir())) == 2:
        pytest.skip("this file system does not keep the two names apart")
    planned = plan(source)

    assert len(planned.counts()) == 2
    assert sum(planned.counts()[min(planned.counts())].values()) == 10
    assert any("are read as one breed" in note for note in planned.source.notes)


def test_photos_with_one_name_stay_two(source: Photos) -> None:
    source.breeds({"train/Pug": 4, "Training/Pug": 4, "train/Beagle": 4, "test/Pug": 1, "test/Beagle": 1})
    source.put("train/Beagle/a.jpg", "train/Beagle/A.jpg")
    planned = plan(source)

    assert len(planned.targets) == len({photo.name for photo in planned.targets.values()}) == 16
    assert len({name.casefold() for name in planned.targets}) == 16


# -- the same everywhere ---------------------------------------------------------------------------------------------


def test_the_split_depends_on_content_and_not_on_names_or_places(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 20, "Beagle": 20})
    renamed = tmp_path / "elsewhere"
    for path in sorted(source.folder.rglob("*.jpg"), reverse=True):
        target = renamed / "archive" / path.parent.name / f"{int(path.stem) * 7 % 20:02}-photo.jpeg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    def split_of_content(folder: Path) -> dict[bytes, str]:
        planned = make_plan(folder, shares=parse("60/20/20"), seed=5)
        return {
            folder.joinpath(*photo.parts).read_bytes(): name.partition("/")[0]
            for name, photo in planned.targets.items()
        }

    assert split_of_content(source.folder) == split_of_content(renamed)


def test_the_split_does_not_depend_on_the_hashes_of_the_process(source: Photos, tmp_path: Path) -> None:
    source.breeds({"Pug": 12, "Beagle": 12, "Boxer": 2})
    command = [sys.executable, "-c", "from ops.cli import main; main()"]
    words = ["data", "split", str(source.folder), str(tmp_path / "result"), "--json", "--dry-run"]
    printed = {
        subprocess.run(
            [*command, *words], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_a_folder_that_training_reads_is_named(source: Photos) -> None:
    udacity(source)
    assert plan(source).source.notes == [
        f"{source.folder} has the folders that training reads, and can be used as it is."
    ]


def test_another_seed_gives_another_split(source: Photos) -> None:
    source.breeds({"Pug": 20, "Beagle": 20})
    assert plan(source, seed=1).targets.keys() != plan(source, seed=2).targets.keys()
    assert plan(source, seed=1).targets == plan(source, seed=1).targets
