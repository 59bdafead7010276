"""The sample data set: the same seed gives the same photos, and other files are never changed."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sample_dogs.breeds import BREEDS, Breed
from sample_dogs.dataset import MARKER, SampleFolderError, SampleSummary, encoded, write_sample
from sample_dogs.drawing import POSES, draw

TWO_BREEDS = BREEDS[:2]
ONE_EACH = {"train": 1, "valid": 1, "test": 1}


def small_sample(folder: Path, *, counts: Mapping[str, int] = ONE_EACH, seed: int = 0) -> SampleSummary:
    return write_sample(folder, counts=counts, seed=seed, breeds=TWO_BREEDS)


def photos_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_there_are_ten_breeds_in_alphabetical_order() -> None:
    names = [breed.name for breed in BREEDS]
    assert len(names) == 10
    assert names == sorted(set(names))


def test_no_two_breeds_share_coat_and_markings() -> None:
    assert len({(breed.coat, breed.markings) for breed in BREEDS}) == len(BREEDS)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("breed", BREEDS, ids=lambda breed: breed.name)
def test_every_breed_can_be_drawn_in_every_pose(breed: Breed, pose: str) -> None:
    photo = draw(breed, np.random.default_rng(1), pose=pose)
    assert photo.mode == "RGB"
    assert 256 <= min(photo.size) <= 416


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), breed=st.sampled_from(BREEDS), index=st.integers(1, 99_999))
def test_a_photo_depends_only_on_seed_split_breed_and_index(seed: int, breed: Breed, index: int) -> None:
    assert encoded(seed, "train", breed, index) == encoded(seed, "train", breed, index)
    assert encoded(seed, "train", breed, index) != encoded(seed, "test", breed, index)


def test_layout_is_split_then_breed_then_numbered_jpegs(tmp_path: Path) -> None:
    summary = small_sample(tmp_path / "data", counts={"train": 2, "valid": 1, "test": 1})
    assert files_in(tmp_path / "data") == {
        MARKER,
        *(f"train/{name}/{name}_0000{index}.jpg" for name in ("Beagle", "Border_collie") for index in (1, 2)),
        *(f"{split}/{name}/{name}_00001.jpg" for name in ("Beagle", "Border_collie") for split in ("valid", "test")),
    }
    assert (summary.photos, summary.drawn, summary.reused) == (8, 8, False)
    assert summary.breeds == ("Beagle", "Border_collie")


def test_same_seed_gives_same_bytes(tmp_path: Path) -> None:
    small_sample(tmp_path / "one", seed=7)
    small_sample(tmp_path / "two", seed=7)
    assert photos_in(tmp_path / "one") == photos_in(tmp_path / "two")


def test_a_photo_is_the_same_in_a_larger_sample(tmp_path: Path) -> None:
    small_sample(tmp_path / "small", counts={"train": 1})
    small_sample(tmp_path / "large", counts={"train": 2, "test": 1})
    small, large = photos_in(tmp_path / "small"), photos_in(tmp_path / "large")
    assert small.items() <= large.items()


def test_workers_draw_the_same_bytes_as_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_sample(tmp_path / "alone")
    monkeypatch.setattr("sample_dogs.dataset._WORTH_A_POOL", 1)
    monkeypatch.setattr("sample_dogs.dataset._processors", lambda: 2)
    small_sample(tmp_path / "pool")
    assert photos_in(tmp_path / "alone") == photos_in(tmp_path / "pool")


def test_no_two_photos_are_identical(tmp_path: Path) -> None:
    small_sample(tmp_path / "data", counts={"train": 3, "valid": 2, "test": 2})
    photos = photos_in(tmp_path / "data")
    assert len({sha256(photo).digest() for photo in photos.values()}) == len(photos) == 14


def test_photos_are_jpegs_of_various_sizes_and_shapes(tmp_path: Path) -> None:
    small_sample(tmp_path / "data", counts={"train": 6})
    sizes = set()
    for path in (tmp_path / "data").rglob("*.jpg"):
        with Image.open(path) as photo:
            assert photo.format == "JPEG"
            sizes.add(photo.size)
    assert len(sizes) > 8
    assert {width > height for width, height in sizes} == {True, False}


def test_progress_counts_up_to_the_number_of_photos(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_sample(
        tmp_path / "data", counts=ONE_EACH, breeds=TWO_BREEDS, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(done, 6) for done in range(1, 7)]


def test_a_complete_sample_is_reused(tmp_path: Path) -> None:
    small_sample(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.jpg")}
    assert small_sample(tmp_path / "data").reused
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.jpg")} == before


def test_missing_and_empty_photos_are_drawn_again(tmp_path: Path) -> None:
    small_sample(tmp_path / "data")
    whole = photos_in(tmp_path / "data")
    (tmp_path / "data/test/Beagle/Beagle_00001.jpg").unlink()
    (tmp_path / "data/train/Beagle/Beagle_00001.jpg").write_bytes(b"")
    assert small_sample(tmp_path / "data").drawn == 2
    assert photos_in(tmp_path / "data") == whole


def test_another_seed_replaces_every_photo_and_keeps_other_files(tmp_path: Path) -> None:
    small_sample(tmp_path / "data", counts={"train": 2}, seed=1)
    old = photos_in(tmp_path / "data")
    mine = tmp_path / "data/train/Beagle/my_dog.jpg"
    mine.write_bytes(b"mine")
    small_sample(tmp_path / "data", counts={"train": 1}, seed=2)
    new = photos_in(tmp_path / "data")
    assert new.pop("train/Beagle/my_dog.jpg") == b"mine"
    assert len(new) == 2
    assert not set(old.values()) & set(new.values())


def test_a_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(SampleFolderError, match=r"not empty and is not a sample.*name a new or empty folder"):
        small_sample(tmp_path)
    assert files_in(tmp_path) == {"letter.txt"}


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(SampleFolderError, match="is a file; give the name of a new folder"):
        small_sample(tmp_path / "data")


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        "{}",
        json.dumps({"counts": {"train": 1}, "breeds": ["../../escape"]}),
        json.dumps({"counts": {"../..": 1}, "breeds": ["Beagle"]}),
    ],
)
def test_a_broken_or_forged_marker_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(SampleFolderError, match=r"is not the sample\.json of a sample"):
        small_sample(tmp_path)
    assert files_in(tmp_path) == {MARKER}


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"training": 3}, "names a split 'training'; the splits are train, valid, test"),
        ({"train": -1}, r"counts\['train'\] is -1"),
        ({"train": 0, "test": 0}, "counts is 0 for every split"),
        ({}, "counts is 0 for every split"),
    ],
)
def test_impossible_counts_are_refused_before_anything_is_written(
    tmp_path: Path, counts: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        small_sample(tmp_path / "data", counts=counts)
    assert not (tmp_path / "data").exists()


def test_ctrl_c_leaves_only_complete_photos_and_the_next_call_draws_the_rest(tmp_path: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "data", counts=ONE_EACH, breeds=TWO_BREEDS, progress=interrupt)
    assert {path.rsplit(".")[-1] for path in files_in(tmp_path / "data")} == {"jpg", "json"}
    for path in (tmp_path / "data").rglob("*.jpg"):
        with Image.open(path) as photo:
            photo.load()
    assert small_sample(tmp_path / "data").drawn == 3


def test_ctrl_c_during_a_write_leaves_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_self: Path, target: Path) -> None:
        raise KeyboardInterrupt(target)

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_sample(tmp_path / "data")
    assert files_in(tmp_path / "data") == set()


def test_partial_files_of_a_killed_run_are_deleted(tmp_path: Path) -> None:
    small_sample(tmp_path / "data")
    whole = files_in(tmp_path / "data")
    (tmp_path / "data/train/Beagle/Beagle_00001.jpg").unlink()
    (tmp_path / "data/train/Beagle/.x8y1.part").write_bytes(b"half")
    small_sample(tmp_path / "data")
    assert files_in(tmp_path / "data") == whole
