"""`kennel data split` reads the public data sets as they are downloaded, and tables of photos."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.data.check import check
from ops.data.split.errors import SplitError
from ops.data.split.labelled import read_source
from ops.data.split.plan import make_plan
from ops.data.split.shares import parse
from tests.unit.split_source import Photos, contents, plan, rows, udacity, written


@pytest.fixture
def source(tmp_path: Path) -> Photos:
    return Photos(tmp_path / "source")


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
