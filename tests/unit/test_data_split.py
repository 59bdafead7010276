"""`kennel data split` reads the public data sets as they are downloaded, and what it writes can be trained on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ops import cli
from ops.data.check import check
from ops.data.split.errors import SplitError
from ops.data.split.labelled import read_source
from ops.data.split.plan import Plan, make_plan
from ops.data.split.shares import parse
from ops.data.split.write import write
from ops.output_path import OutputPathError
from tests.builders import detailed, encoded
from training.data.dataset import scan


class Photos:
    """Writes photos without near duplicates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def put(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(detailed((150, 120), seed=self.count), "JPEG"))
            self.count += 1

    def breeds(self, counts: Mapping[str, int]) -> "Photos":
        for folder, count in counts.items():
            self.put(*(f"{folder}/{number}.jpg" for number in range(count)))
        return self

    def text(self, name: str, content: str, encoding: str = "utf-8") -> "Photos":
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(content, encoding=encoding)
        return self


@pytest.fixture
def source(tmp_path: Path) -> Photos:
    return Photos(tmp_path / "source")


def plan(source: Photos, *, shares: str = "80/10/10", seed: int = 0) -> Plan:
    return make_plan(source.folder, shares=parse(shares), seed=seed)


def written(source: Photos, target: Path) -> Path:
    planned = plan(source)
    write(target, {name: source.folder.joinpath(*photo.parts) for name, photo in planned.targets.items()})
    return target


def kennel(*words: object) -> Result:
    return CliRunner().invoke(cli.app, ["data", "split", *map(str, words)])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def rows(pairs: Iterable[tuple[str, str]], header: str, between: str = ",") -> str:
    return "\n".join([header, *(f"{photo}{between}{breed}" for photo, breed in pairs)]) + "\n"


# -- layouts ---------------------------------------------------------------------------------------------------------


def stanford(source: Photos) -> str:
    source.breeds({f"Images/{breed}": 10 for breed in ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")})
    source.text("Annotation/n02085620-Chihuahua/n02085620_1", "<annotation/>").text("lists/train_list.mat", "binary")
    return "Stanford Dogs: Images/<breed>/, 2 breeds"


def stanford_on_kaggle(source: Photos) -> str:
    source.breeds({f"images/Images/{breed}": 10 for breed in ("n02085620-Chihuahua", "n02111889-Samoyed")})
    source.text("annotations/Annotation/n02085620-Chihuahua/n02085620_1", "<annotation/>")
    return "Stanford Dogs: images/Images/<breed>/, 2 breeds"


def tsinghua(source: Photos) -> str:
    source.breeds({f"low-resolution/{breed}": 10 for breed in ("200-n000008-Airedale", "1160-n000003-French_bulldog")})
    source.text("TrainAndValList/train.lst", "").text("Low-Annotations/200-n000008-Airedale/n1.jpg.xml", "")
    return "Tsinghua Dogs: low-resolution/<breed>/, 2 breeds"


def bare(source: Photos) -> str:
    source.breeds({"Pug": 10, "Beagle": 10})
    return "<breed>/, 2 breeds"


def wrapped_twice(source: Photos) -> str:
    source.breeds({"dog-breeds/dog-breeds/Pug": 10, "dog-breeds/dog-breeds/Beagle": 10})
    source.text("__MACOSX/dog-breeds/._x.jpg", "").text("dog-breeds/README.txt", "")
    return "dog-breeds/dog-breeds/<breed>/, 2 breeds"


def udacity(source: Photos) -> str:
    for split, count in (("train", 8), ("valid", 1), ("test", 1)):
        source.breeds({f"{split}/{breed}": count for breed in ("001.Affenpinscher", "002.Afghan_hound")})
    return "train/<breed>/, valid/<breed>/, test/<breed>/, 2 breeds"


def other_words(source: Photos) -> str:
    for split, count in (("TRAINING", 8), ("Eval", 1), ("Testing", 1)):
        source.breeds({f"archive/{split}/{breed}": count for breed in ("Pug", "Beagle")})
    return "archive/TRAINING/<breed>/, archive/Eval/<breed>/, archive/Testing/<breed>/, 2 breeds"


def train_in_train(source: Photos) -> str:
    for split, count in (("train", 8), ("val", 1), ("test", 1)):
        source.breeds({f"{split}/{split}/{breed}": count for breed in ("Pug", "Beagle")})
    return "train/train/<breed>/, val/val/<breed>/, test/test/<breed>/, 2 breeds"


def kaggle(source: Photos) -> str:
    ids = [(f"{number:032x}", ("boston_bull", "dingo")[number % 2]) for number in range(20)]
    source.put(*(f"train/{name}.jpg" for name, _ in ids), *(f"test/f{number:031x}.jpg" for number in range(3)))
    source.text("labels.csv", rows(ids, "id,breed")).text("sample_submission.csv", "id,boston_bull,dingo\nf0,0.5,0.5\n")
    return "Kaggle's dog breed identification: labels.csv with the labels of the photos in train/ and test/"


def oxford(source: Photos) -> str:
    source.put(*(f"images/{breed}_{number}.jpg" for breed in ("american_bulldog", "Bengal") for number in range(10)))
    source.put("annotations/trimaps/Bengal_1.png")
    return "Oxford-IIIT Pet: images/<breed>_<number>.jpg"


@pytest.mark.parametrize(
    ("layout", "breeds"),
    [
        (stanford, ["Chihuahua", "Japanese_spaniel"]),
        (stanford_on_kaggle, ["Chihuahua", "Samoyed"]),
        (tsinghua, ["Airedale", "French_bulldog"]),
        (bare, ["Beagle", "Pug"]),
        (wrapped_twice, ["Beagle", "Pug"]),
        (udacity, ["001.Affenpinscher", "002.Afghan_hound"]),
        (other_words, ["Beagle", "Pug"]),
        (train_in_train, ["Beagle", "Pug"]),
        (kaggle, ["boston_bull", "dingo"]),
        (oxford, ["Bengal", "american_bulldog"]),
    ],
)
def test_a_public_layout_becomes_one_that_passes_the_check(
    source: Photos, tmp_path: Path, layout: Callable[[Photos], str], breeds: list[str]
) -> None:
    shown = layout(source)
    before = contents(source.folder)
    planned = plan(source)
    result = written(source, tmp_path / "result")

    assert str(planned.source.layout) == shown
    assert planned.counts() == {breed: {"train": 8, "valid": 1, "test": 1} for breed in breeds}
    assert [finding.code for finding in check(result).findings] == ["few_photos"]
    assert contents(source.folder) == before


@pytest.mark.parametrize(
    ("header", "name", "between"),
    [
        ("image,label", "{}.jpg", ","),
        ("filename,breed", "train/{}.jpg", ","),
        ("\ufeffid,breed", "{}", ","),
        (" Image ID ; Breed Name ", "{}", ";"),
        ("file_name\tclass", "./train/{}.jpg", "\t"),
        ("", "{}", ","),
        ("", "{}.jpg", ","),
    ],
)
def test_a_table_may_name_its_columns_and_photos_in_other_ways(
    source: Photos, header: str, name: str, between: str
) -> None:
    pairs = [(name.format(f"p{number}"), ("Pug", "Beagle")[number % 2]) for number in range(10)]
    source.put(*(f"train/p{number}.jpg" for number in range(10)))
    source.text("table.csv", rows(pairs, header, between).lstrip("\n"))

    read = read_source(source.folder)
    assert Counter(photo.breed for photo in read.photos) == {"Pug": 5, "Beagle": 5}
    assert not read.left_out


def test_a_table_in_utf16_as_a_spreadsheet_writes_it_is_read(source: Photos) -> None:
    source.put("photos/a.jpg", "photos/b.jpg")
    source.text("labels.csv", "id\tbreed\na\tPug\nb\tÉpagneul\n", encoding="utf-16")
    assert [photo.breed for photo in read_source(source.folder).photos] == ["Pug", "Épagneul"]


def test_a_table_in_another_encoding_is_refused_with_what_to_do(source: Photos) -> None:
    source.put("photos/a.jpg", "photos/b.jpg")
    source.text("labels.csv", "id,breed\na,Pug\nb,Épagneul\n", encoding="latin-1")
    with pytest.raises(SplitError, match="Save it as UTF-8"):
        read_source(source.folder)


def test_rows_without_a_photo_and_photos_without_a_row_are_listed(source: Photos) -> None:
    source.put("train/a.jpg", "train/b.jpg", "train/c.jpg", "train/d.jpg")
    source.text("labels.csv", "id,breed\na,Pug\nb,Beagle\ngone,Pug\nd,Pug\nd,Beagle\n")
    read = read_source(source.folder)

    assert [photo.name for photo in read.photos] == ["train/a.jpg", "train/b.jpg"]
    assert read.left_out == {
        "rows of labels.csv without a photo": ["gone"],
        "photos without a row in labels.csv": ["train/c.jpg"],
        "photos with several breeds in labels.csv": ["train/d.jpg"],
    }


def test_an_id_that_train_and_test_both_have_means_the_training_photo(source: Photos) -> None:
    source.put("train/1.jpg", "train/2.jpg", "test/1.jpg", "test/2.jpg")
    source.text("labels.csv", "id,breed\n1,Pug\n2,Beagle\n")
    assert [photo.name for photo in read_source(source.folder).photos] == ["train/1.jpg", "train/2.jpg"]


def test_a_table_that_names_no_photo_of_the_folder_is_refused(source: Photos) -> None:
    source.put("train/1.jpg", "train/2.jpg")
    source.text("labels.csv", "id,breed\nx,Pug\ny,Beagle\n")
    with pytest.raises(SplitError, match=r"No row of labels\.csv names a photo.*its first names x\."):
        read_source(source.folder)


def test_for_photos_without_their_table_the_folder_of_both_is_asked_for(source: Photos) -> None:
    source.put("train/0.jpg", "train/1.jpg")
    source.text("labels.csv", rows([("0", "Pug"), ("1", "Beagle")], "id,breed"))
    with pytest.raises(SplitError, match="If a table has the labels, name a folder that contains it and the photos"):
        make_plan(source.folder / "train", shares=parse("80/10/10"), seed=0)


def test_a_column_may_give_the_split(source: Photos) -> None:
    names = [f"all/{number}.jpg" for number in range(12)]
    source.put(*names)
    splits = ["train"] * 8 + ["valid"] * 2 + ["TEST"] * 2
    lines = [f"{name},{'Pug' if index % 2 else 'Beagle'},{splits[index]}" for index, name in enumerate(names)]
    source.text("dogs.csv", "\n".join(["filepaths,labels,data set", *lines]))

    assert plan(source).counts() == {breed: {"train": 4, "valid": 1, "test": 1} for breed in ("Beagle", "Pug")}


def test_a_photo_of_an_unknown_split_is_not_trained_on(source: Photos) -> None:
    source.put(*(f"train/{number}.jpg" for number in range(30)))
    splits = ["train", "test", "holdout"]
    lines = [f"{number},{'Pug' if number % 2 else 'Beagle'},{splits[number % 3]}" for number in range(30)]
    planned = plan(source.text("dogs.csv", "\n".join(["id,breed,split", *lines])))

    held_out = sorted(str(number) for number in range(2, 30, 3))
    assert planned.source.left_out["rows of dogs.csv with a split that is not train, valid or test"] == held_out
    assert sum(row["train"] + row["valid"] for row in planned.counts().values()) == 10


def test_a_column_without_known_splits_is_not_read_as_one(source: Photos) -> None:
    source.put(*(f"{number}.jpg" for number in range(20)))
    lines = [f"{number},{'Pug' if number % 2 else 'Beagle'},stanford" for number in range(20)]
    planned = plan(source.text("dogs.csv", "\n".join(["id,breed,dataset", *lines])))

    assert len(planned.targets) == 20


def test_a_label_of_a_table_cannot_leave_the_result(source: Photos, tmp_path: Path) -> None:
    source.put(*(f"train/{number}.jpg" for number in range(8)))
    lines = [f"{number},{'../../../out' if number % 2 else 'Wire/Fox'}" for number in range(8)]
    source.text("labels.csv", "\n".join(["id,breed", *lines]))
    result = written(source, tmp_path / "deep" / "result")

    assert sorted(path.name for path in (result / "train").iterdir()) == ["Wire_Fox", "__.._.._out"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "source"]


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


# -- writing ---------------------------------------------------------------------------------------------------------


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
