"""`kennel data check` finds photos that show the same, and lists them in groups."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from ops.data import check_file
from ops.data.check import check
from ops.data.duplicates import duplicates
from ops.data.findings import Finding
from ops.data.measure import Measured
from ops.data.near_duplicates import THRESHOLD, Fingerprint, fingerprint, most_similar, near_duplicate_groups
from ops.views.data_sheet import data_sheet
from tests.builders import detailed, encoded
from tests.unit.test_data_check import found, printed, saved_again, write_photos


@pytest.mark.parametrize(
    ("target", "code", "is_error"),
    [
        ("test/Beagle/copy.jpg", "identical_leak", True),
        ("train/Pug/copy.jpg", "identical_labels", True),
        ("test/Pug/copy.jpg", "identical_labels", True),
        ("train/Beagle/copy.jpg", "identical_repeat", False),
    ],
)
def test_a_copy_is_an_error_in_another_split_or_breed(tmp_path: Path, target: str, code: str, is_error: bool) -> None:
    shutil.copy(write_photos(tmp_path) / "train/Beagle/3.jpg", tmp_path / target)
    checked = check(tmp_path)

    assert found(checked).keys() == {code}
    assert sorted(found(checked)[code].photos[0]) == sorted(["train/Beagle/3.jpg", target])
    assert checked.passed is not is_error


@pytest.mark.parametrize(
    "change",
    [
        lambda photo: photo,
        lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
        lambda photo: ImageEnhance.Brightness(photo).enhance(1.2),
        lambda photo: ImageEnhance.Color(photo).enhance(0.6),
        lambda photo: photo.crop((2, 2, photo.width - 2, photo.height - 2)),
    ],
    ids=["saved again", "half the size", "brighter", "paler", "cut at the edges"],
)
def test_a_leak_is_found_although_its_bytes_differ(
    tmp_path: Path, change: Callable[[Image.Image], Image.Image]
) -> None:
    write_photos(tmp_path)
    saved_again(tmp_path / "train/Pug/0.jpg", tmp_path / "valid/Pug/again.jpg", change)
    leak = found(check(tmp_path))["nearly_leak"]

    assert leak.severity == "error"
    assert leak.photos == [["train/Pug/0.jpg", "valid/Pug/again.jpg"]]


def test_two_dogs_before_the_same_background_are_two_photos(tmp_path: Path) -> None:
    """A series from one photo session shares most of its pixels. To call it a copy would stop a correct upload."""
    background, dog = detailed((150, 120), seed=98), detailed((150, 120), seed=99)
    with_another_dog = background.copy()
    with_another_dog.paste(dog.crop((0, 0, 50, 50)), (45, 40))
    similarity = float(fingerprint(background) @ fingerprint(with_another_dog))
    assert 0.80 < similarity < 0.93  # just below the threshold
    write_photos(tmp_path)
    (tmp_path / "train/Pug/one.jpg").write_bytes(encoded(background, "JPEG"))
    (tmp_path / "test/Pug/other.jpg").write_bytes(encoded(with_another_dog, "JPEG"))
    assert list(check(tmp_path).findings) == []


def test_photos_of_one_colour_are_no_near_duplicates() -> None:
    """Two white walls have no structure to compare; that does not make them one photo."""
    walls = [fingerprint(Image.new("RGB", (90, 60), (shade, shade, shade))) for shade in (250, 240)]
    # exact: an empty list has no floats
    assert near_duplicate_groups(walls) == []


def test_near_duplicates_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.data.near_duplicates._BLOCK", 4)
    marks = [fingerprint(detailed((60, 60), seed=number % 9)) for number in range(11)]
    # exact: these are positions in the list, which are whole numbers
    assert near_duplicate_groups(marks) == [[0, 9], [1, 10]]


def frames(*angles: float) -> list[Fingerprint]:
    """Fingerprints whose similarity is the cosine of the angle between them, in degrees."""
    turned = np.radians(angles)
    return list(np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32))


def test_frames_of_a_video_are_one_group_although_the_first_and_the_last_differ() -> None:
    """Neighbours are near duplicates (cos 15 degrees is 0.966), and the first and the last are not (cos 45 is 0.71)."""
    # exact: these are positions in the list, which are whole numbers
    assert near_duplicate_groups(frames(0, 90, 15, 30, 45, 100)) == [[0, 2, 3, 4], [1, 5]]


@given(
    st.lists(st.floats(0, 360), max_size=25),
    st.integers(1, 9),
)
def test_the_groups_are_the_connected_photos(angles: list[float], block: int) -> None:
    marks = frames(*angles)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ops.data.near_duplicates._BLOCK", block)
        groups = near_duplicate_groups(marks)
    similarity = np.stack(marks) @ np.stack(marks).T if marks else np.zeros((0, 0))
    assume((np.abs(similarity - THRESHOLD) > 1e-6).all())  # a pair on the threshold may be rounded to either side
    connected = [{i} for i in range(len(marks))]
    for one, other in np.argwhere(similarity >= THRESHOLD).tolist():
        if connected[one] is not connected[other]:
            connected[one] |= connected[other]
            for member in connected[one]:
                connected[member] = connected[one]
    expected = sorted({tuple(sorted(group)) for group in connected if len(group) > 1})
    # exact: these are positions in the list, which are whole numbers
    assert groups == [list(group) for group in expected]


def test_the_most_similar_pair_is_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.data.near_duplicates._BLOCK", 2)
    # exact: these are positions in the list, which are whole numbers
    assert most_similar(frames(0, 50, 100, 53, 200, 98), [0, 1, 4], [2, 3, 5]) == (1, 3)


def measured(*photos: tuple[str, float]) -> list[Measured]:
    """Photos by name (split/breed/file), each with the angle of its fingerprint."""
    breeds = sorted({name.split("/")[1] for name, _ in photos})
    marks = frames(*(angle for _, angle in photos))
    return [
        Measured(
            name=name,
            label=breeds.index(name.split("/")[1]),
            shorter_side=100,
            is_grey=False,
            sha256=name,
            fingerprint=mark,
        )
        for (name, _), mark in zip(photos, marks, strict=True)
    ]


def by_code(*photos: tuple[str, float]) -> dict[str, Finding]:
    return {finding.code: finding for finding in duplicates(measured(*photos))}


def test_eighteen_pictures_saved_eight_times_are_eighteen_groups(tmp_path: Path) -> None:
    write_photos(tmp_path, counts={"train": 1, "valid": 1, "test": 1})
    for picture in range(18):
        for quality in range(60, 92, 4):
            photo = encoded(detailed((150, 120), seed=100 + picture), "JPEG", quality=quality)
            (tmp_path / f"train/Pug/{picture}-{quality}.jpg").write_bytes(photo)
    repeat = found(check(tmp_path))["nearly_repeat"]

    assert repeat.summary.startswith("18 groups of nearly identical photos (144 photos) are in one split;")
    assert [len(group) for group in repeat.photos] == [8] * 18
    assert all(len({name.partition("-")[0] for name in group}) == 1 for group in repeat.photos)


def test_the_json_grows_with_the_photos_and_not_with_their_pairs(tmp_path: Path) -> None:
    """Before, 400 frames of one scene gave 79,800 pairs."""
    noise, place = np.random.default_rng(0), write_photos(tmp_path) / "train/Pug"
    scene = np.asarray(detailed((150, 120), seed=99)).astype(int)
    for frame in range(400):
        shown = np.clip(scene + noise.integers(-5, 6, scene.shape), 0, 255).astype(np.uint8)
        Image.fromarray(shown).save(place / f"frame{frame}.jpg")
    document = json.loads(check_file.as_json(check(tmp_path)))

    (finding,) = (each for each in document["findings"] if each["code"] == "nearly_repeat")
    (group,) = finding["photos"]
    assert sorted(group) == sorted(f"train/Pug/frame{frame}.jpg" for frame in range(400))


def test_a_group_across_splits_begins_with_its_two_most_similar_photos_of_different_splits() -> None:
    leak = by_code(("train/Pug/0.jpg", 0), ("train/Pug/1.jpg", 15), ("test/Pug/2.jpg", 29), ("test/Pug/3.jpg", 43))[
        "nearly_leak"
    ]
    assert leak.photos == [["train/Pug/1.jpg", "test/Pug/2.jpg", "train/Pug/0.jpg", "test/Pug/3.jpg"]]


def test_a_group_of_several_breeds_is_also_a_leak_if_one_of_them_is_in_several_splits() -> None:
    """One photo in a wrong folder made a warning of a leak, which is an error."""
    findings = by_code(("train/Pug/0.jpg", 0), ("train/Beagle/1.jpg", 5), ("test/Pug/2.jpg", 9))
    assert {code: finding.severity for code, finding in findings.items()} == {
        "nearly_labels": "warning",
        "nearly_leak": "error",
    }
    assert findings["nearly_labels"].photos == [["test/Pug/2.jpg", "train/Beagle/1.jpg", "train/Pug/0.jpg"]]


def test_findings_across_splits_and_breeds_come_before_repeats_in_one_folder() -> None:
    photos = [("train/Pug/0.jpg", 0), ("train/Pug/1.jpg", 5), ("train/Pug/2.jpg", 90), ("test/Pug/3.jpg", 92)]
    photos += [("train/Pug/4.jpg", 200), ("train/Beagle/5.jpg", 203)]
    assert list(by_code(*photos)) == ["nearly_labels", "nearly_leak", "nearly_repeat"]


def test_the_table_prints_the_first_photos_of_a_large_group(tmp_path: Path) -> None:
    write_photos(tmp_path)
    for number in range(7):
        shutil.copy(tmp_path / "train/Beagle/3.jpg", tmp_path / f"train/Beagle/copy{number}.jpg")
    first = "train/Beagle/3.jpg  =  train/Beagle/copy0.jpg  =  train/Beagle/copy1.jpg  and 5 more\n"
    assert first in printed(check(tmp_path))


def test_the_sheet_draws_the_first_photos_of_several_large_groups(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    for original in (3, 4):
        for number in range(9):
            shutil.copy(
                tmp_path / f"photos/train/Beagle/{original}.jpg",
                tmp_path / f"photos/train/Beagle/copy{original}{number}.jpg",
            )
    data_sheet(check(tmp_path / "photos"), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))[144:280]
    tiles = [pixels[:, left : left + 136] for left in (52, 192, 332, 496, 636, 776)]
    for first, others in ((tiles[0], tiles[1:3]), (tiles[3], tiles[4:])):
        assert first.std() > 20
        for tile in others:
            # exact: tiles of copies of one file are drawn from the same whole numbers
            assert (tile == first).all()
    # exact: pixels of two photos, which are whole numbers
    assert (tiles[3] != tiles[0]).any()
