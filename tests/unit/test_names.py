"""Names of breeds that are the same text, and names of files that belong to a system."""

import unicodedata
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.names import code_points, is_passed_over, same_text
from contract.photos import PhotoFile, digest, is_photo_file, listed_photos
from inference.artifact import ArtifactError, load
from ops.data.check import check
from ops.data.keys import keys_of
from ops.data.unread import unread
from ops.data.upload import upload
from stacks.training.handler.aws_errors import TrainingError
from stacks.training.handler.photos import data_digest
from stacks.training.handler.request import Location
from tests.builders import write_artifact
from tests.distributed.dogs import any_photo
from training.data.dataset import DataError, scan
from training.model import weights

Form = Literal["NFC", "NFD"]
BREEDS = ("Épagneul breton", "Löwchen", "Pug")
BUCKET = "photos"
SYSTEM = [
    *("@eaDir", "__MACOSX", ".AppleDouble", ".Spotlight-V100", ".ipynb_checkpoints", "$RECYCLE.BIN", "lost+found"),
    *("#recycle", "System Volume Information"),
]


def written(name: str, form: Form) -> str:
    return unicodedata.normalize(form, name)


def write_photos(folder: Path, *, train: Form = "NFC", valid: Form = "NFC", test: Form = "NFC") -> Path:
    """Two photos of each breed in each split, in folders whose names have that form."""
    for split, form in (("train", train), ("valid", valid), ("test", test)):
        for number, breed in enumerate(BREEDS):
            place = folder / split / written(breed, form)
            place.mkdir(parents=True)
            for name in ("zwölf.jpg", "zwo.jpg"):
                seed = len(name) + 10 * number + 100 * len(split)
                (place / written(name, form)).write_bytes(any_photo("Pug", seed))
    return folder


@given(st.text())
def test_every_form_of_a_name_is_the_same_text(name: str) -> None:
    forms = {same_text(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")} | {same_text(same_text(name))}
    assert forms == {same_text(name)}


@given(st.text(), st.text())
def test_two_names_that_are_the_same_text_differ_in_their_code_points(one: str, other: str) -> None:
    for name in (one, other):
        composed, apart = written(name, "NFC"), written(name, "NFD")
        if composed != apart:
            assert code_points(composed) != code_points(apart)
    if one.isascii() and other.isascii():
        assert (same_text(one) == same_text(other)) is (one == other)


@pytest.mark.parametrize("valid", ["NFC", "NFD"])
def test_the_form_of_a_name_changes_neither_labels_nor_order_nor_digest(tmp_path: Path, valid: Form) -> None:
    before = scan(write_photos(tmp_path / "composed"))
    after = scan(write_photos(tmp_path / "apart", train="NFD", valid=valid, test="NFD"))

    assert after.labels == before.labels == ("Löwchen", "Pug", "Épagneul breton")
    assert after.digest() == before.digest()
    for split, photos in before.splits.items():
        assert [photo.label for photo in after.splits[split]] == [photo.label for photo in photos]
        contents = [photo.path.read_bytes() for photo in photos]
        assert [photo.path.read_bytes() for photo in after.splits[split]] == contents


def test_train_and_valid_may_have_different_forms(tmp_path: Path) -> None:
    """macOS and some zips write accents as characters of their own; the check took them for another breed."""
    counts = check(write_photos(tmp_path, valid="NFD")).counts()
    assert counts["Épagneul breton"] == {"train": 2, "valid": 2, "test": 2}


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_two_folders_that_are_the_same_text_are_refused_by_their_code_points(tmp_path: Path, split: str) -> None:
    (write_photos(tmp_path) / split / written("Löwchen", "NFD")).mkdir()
    with pytest.raises(DataError) as refused:
        scan(tmp_path)
    sentence = str(refused.value)
    assert f"{split} has two folders of the breed Löwchen: one name contains U+0308, the other U+00F6" in sentence
    assert "Move the photos into one of them." in sentence


def test_udacitys_numbers_are_removed_from_names_in_any_form(tmp_path: Path) -> None:
    forms: dict[str, Form] = {"train": "NFD", "valid": "NFC", "test": "NFD"}
    for split, form in forms.items():
        for breed in ("001.Löwchen", "002.Pug"):
            place = tmp_path / split / written(breed, form)
            place.mkdir(parents=True)
            (place / "0.jpg").write_bytes(any_photo())
    assert scan(tmp_path).labels == ("Löwchen", "Pug")


@pytest.mark.parametrize("name", SYSTEM)
def test_folders_of_a_system_are_no_breeds_and_their_files_no_photos(tmp_path: Path, name: str) -> None:
    before = scan(write_photos(tmp_path))
    for place in (tmp_path, *tmp_path.iterdir(), tmp_path / "train" / "Pug"):
        (place / name).mkdir()
        (place / name / "0.jpg").write_bytes(b"a smaller copy")
    after = scan(tmp_path)
    found = unread(tmp_path)

    assert (after.labels, after.splits, after.digest()) == (before.labels, before.splits, before.digest())
    assert (found.unknown, found.misplaced) == ([], [])


@pytest.mark.parametrize("name", SYSTEM)
def test_objects_in_such_folders_do_not_change_the_buckets_digest(name: str) -> None:
    photos = [f"data/{split}/Pug/0.jpg" for split in ("train", "valid", "test")]
    system = [f"data/train/{name}/0.jpg", f"data/train/Pug/{name}/0.jpg", f"data/{name}/Pug/0.jpg"]
    listed = [{"Key": key, "Size": 1, "ETag": '"0a"'} for key in [*photos, *system]]
    assert list(listed_photos(listed, "data/")) == photos


@pytest.mark.parametrize("name", ["._0.jpg", "Thumbs.db", "desktop.ini", "DESKTOP.INI", ".DS_Store"])
def test_files_of_a_system_are_neither_photos_nor_unknown(tmp_path: Path, name: str) -> None:
    (write_photos(tmp_path) / "train" / "Pug" / name).write_bytes(b"x")
    assert is_passed_over(name)
    assert not is_photo_file(name)
    assert unread(tmp_path).unknown == []


@given(st.text(min_size=1))
def test_the_digest_does_not_depend_on_the_form_of_a_name(name: str) -> None:
    forms = {digest([PhotoFile(f"train/{written(name, form)}/0.jpg", 1, "0a")]) for form in ("NFC", "NFD")}
    assert len(forms) == 1


def test_the_labels_of_an_older_artifact_are_read_in_the_form_of_today(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path, [written(breed, "NFD") for breed in BREEDS])
    assert load(artifact).labels == BREEDS


def test_an_artifact_with_two_labels_that_are_the_same_text_is_refused(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path, ["Löwchen", written("Löwchen", "NFD"), "Pug"])
    with pytest.raises(ArtifactError, match="names a breed twice"):
        load(artifact)


def test_the_head_of_weights_is_kept_for_the_same_breeds_in_another_form() -> None:
    note = weights.labels_note([written(breed, "NFD") for breed in BREEDS])
    assert weights.is_of_breeds(note, BREEDS)
    assert not weights.is_of_breeds(note, BREEDS[::-1])
    assert not weights.is_of_breeds(weights.labels_note(["Pug"]), BREEDS)
    assert not any(weights.is_of_breeds(other, BREEDS) for other in (None, "", "no JSON", "{}", "3"))


def keys(s3: Any) -> set[str]:
    return {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_keys_in_the_bucket_are_the_names_of_the_files(s3: Any, tmp_path: Path) -> None:
    photos = write_photos(tmp_path, train="NFD")
    upload(photos, "s3://photos/data")
    assert keys(s3) == {f"data/{path.relative_to(photos).as_posix()}" for path in photos.rglob("*.jpg")}


def test_an_upload_in_another_form_sends_nothing_again(s3: Any, tmp_path: Path) -> None:
    upload(write_photos(tmp_path / "composed"), "s3://photos/data")
    before = keys(s3)
    apart = write_photos(tmp_path / "apart", train="NFD", valid="NFD", test="NFD")
    summary = upload(apart, "s3://photos/data")

    assert (summary.uploaded, summary.already_there, summary.untracked) == (0, 18, [])
    assert keys(s3) == before
    assert summary.digest == summary.bucket_digest == scan(apart).digest()


def test_a_new_photo_is_sent_to_the_folder_that_its_breed_has_in_the_bucket(s3: Any, tmp_path: Path) -> None:
    upload(write_photos(tmp_path / "composed"), "s3://photos/data")
    apart = write_photos(tmp_path / "apart", train="NFD", valid="NFD", test="NFD")
    (apart / "train" / written("Löwchen", "NFD") / "new.jpg").write_bytes(any_photo("Pug", 7))
    assert upload(apart, "s3://photos/data").uploaded == 1
    assert "data/train/Löwchen/new.jpg" in keys(s3)
    assert data_digest(s3, Location(bucket=BUCKET, prefix="data/")) == scan(apart).digest()


names = st.text(st.sampled_from("aeo\u0301\u0308éöä"), min_size=1, max_size=4)


@given(st.lists(st.tuples(names, names), unique=True), st.lists(st.tuples(names, names)))
def test_each_photo_has_a_key_of_its_own_that_is_its_name_as_text(
    mine: list[tuple[str, str]], there: list[tuple[str, str]]
) -> None:
    photos = {f"data/train/{breed}/{file}.jpg": Path(breed, file) for breed, file in mine}
    found = keys_of(photos, [f"data/train/{breed}/{file}.jpg" for breed, file in there])
    assert sorted(found.values()) == sorted(photos.values())
    assert sorted(map(same_text, found)) == sorted(map(same_text, photos))


def test_a_job_is_not_started_for_two_folders_of_one_breed(s3: Any) -> None:
    for split in ("train", "valid", "test"):
        for breed in ("Löwchen", "Pug"):
            s3.put_object(Bucket=BUCKET, Key=f"data/{split}/{breed}/0.jpg", Body=b"x")
    s3.put_object(Bucket=BUCKET, Key=f"data/valid/{written('Löwchen', 'NFD')}/1.jpg", Body=b"x")
    with pytest.raises(TrainingError) as refused:
        data_digest(s3, Location(bucket=BUCKET, prefix="data/"))
    sentence = (
        "s3://photos/data/valid/ has two folders of the breed Löwchen: one name contains U+0308, the other U+00F6"
    )
    assert str(refused.value).startswith(sentence)
