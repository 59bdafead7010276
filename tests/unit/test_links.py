"""A symbolic link in a data folder leads nowhere else: what is outside is neither trained on nor uploaded."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.data.check import check
from ops.data.upload import upload
from tests.unit.test_data_check import write_photos
from training.config import Config
from training.data.dataset import DataError, scan
from training.data.links import Links

SECRET = b"the secret of another folder"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = write_photos(tmp_path / "outside")
    (folder / "secret.jpg").write_bytes(SECRET)
    return folder


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        yield client


def breed_of(photos: Path) -> Path:
    return sorted((photos / "train").iterdir())[0]


def photo_link(photos: Path, outside: Path) -> Path:
    link = breed_of(photos) / "link.jpg"
    link.symlink_to(outside / "secret.jpg")
    return link


def relative_link(photos: Path, outside: Path) -> Path:
    link = breed_of(photos) / "link.jpg"
    link.symlink_to(Path("../../..") / outside.name / "secret.jpg")
    return link


def link_to_a_link(photos: Path, outside: Path) -> Path:
    (photos / "hidden").symlink_to(outside)
    link = breed_of(photos) / "link.jpg"
    link.symlink_to(photos / "hidden" / "secret.jpg")
    return link


def breed_link(photos: Path, outside: Path) -> Path:
    link = photos / "train" / "Link"
    link.symlink_to(breed_of(outside))
    return link


def split_link(photos: Path, outside: Path) -> Path:
    (photos / "valid").rename(photos / "before")
    (photos / "valid").symlink_to(outside / "valid")
    return photos / "valid"


MADE = (photo_link, relative_link, link_to_a_link, breed_link, split_link)
Make = Callable[[Path, Path], Path]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_a_link_out_of_the_folder_is_refused_everywhere(make: Make, photos: Path, outside: Path, s3: Any) -> None:
    link = make(photos, outside)

    with pytest.raises(DataError) as refused:
        scan(photos)
    with pytest.raises(DataError):
        upload(photos, "s3://photos/data")
    (found,) = [each for each in check(photos).findings if each.code == "link_out_of_the_folder"]

    assert f"{link} is a link to {link.resolve()}, outside the data folder" in str(refused.value)
    assert f"--links-to {link.resolve().parent}" in str(refused.value)
    assert found.severity == "error"
    assert list(found.photos) == [[str(link)]]
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")


@pytest.mark.parametrize("make", [breed_link, split_link], ids=lambda make: make.__name__)
def test_the_folder_that_links_may_lead_to_is_read(make: Make, photos: Path, outside: Path, s3: Any) -> None:
    make(photos, outside)

    data = scan(photos, links_to=outside)
    sent = upload(photos, "s3://photos/data", links_to=outside)
    found = check(photos, links_to=outside)

    assert sent.digest == data.digest() == found.data.digest()
    assert "link_out_of_the_folder" not in {each.code for each in found.findings}
    assert s3.list_objects_v2(Bucket="photos")["KeyCount"] == sum(map(len, data.splits.values()))


def test_the_remedy_names_the_folder_of_all_links(photos: Path, outside: Path) -> None:
    photo_link(photos, outside)
    breed_link(photos, outside)

    with pytest.raises(DataError, match=rf"--links-to {outside} \(Such links: 2\.\)"):
        scan(photos)


def test_no_folder_is_offered_that_contains_the_photos_too(photos: Path, tmp_path: Path) -> None:
    for number, place in enumerate((tmp_path / "first place", tmp_path / "second")):
        place.mkdir()
        (place / "a.jpg").write_bytes(SECRET)
        (breed_of(photos) / f"link{number}.jpg").symlink_to(place / "a.jpg")

    with pytest.raises(DataError) as refused:
        scan(photos)

    assert f"The links lead to '{tmp_path}/first place' and to {tmp_path}/second." in str(refused.value)
    assert "Each of them needs to be inside one named folder (--links-to DIR)" in str(refused.value)


@pytest.mark.parametrize(
    "targets",
    [
        ("/etc/a.jpg", "/srv/b.jpg"),
        ("/home/ann/a.jpg",),
        ("/home/ann/x/a.jpg", "/home/bob/y/a.jpg"),
        ("/a.jpg",),
        ("/root/a.jpg",),
    ],
)
def test_neither_the_root_nor_a_home_folder_is_offered(photos: Path, targets: tuple[str, ...]) -> None:
    for number, target in enumerate(targets):
        (breed_of(photos) / f"{number}.jpg.link").symlink_to(target)
    links = Links(photos)
    for number in range(len(targets)):
        assert links.leads_out(breed_of(photos) / f"{number}.jpg.link")

    remedy = links.remedy()

    assert "(--links-to DIR)" in remedy
    assert all(str(Path(target).parent) in remedy for target in targets)


def test_a_folder_in_a_home_folder_is_offered(photos: Path) -> None:
    for number, home in enumerate(("/home/ann", "/root")):
        link = breed_of(photos) / f"{number}.link"
        link.symlink_to(f"{home}/dogs/a.jpg")
        links = Links(photos)
        assert links.leads_out(link)
        assert links.remedy().endswith(f"--links-to {home}/dogs")


def test_the_home_folder_of_the_user_is_not_offered(
    photos: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(outside))
    photo_link(photos, outside)

    with pytest.raises(DataError, match=r"\(--links-to DIR\)"):
        scan(photos)


def test_another_folder_is_not_that_folder(photos: Path, outside: Path, tmp_path: Path) -> None:
    photo_link(photos, outside)

    with pytest.raises(DataError, match="outside the data folder"):
        scan(photos, links_to=tmp_path / "outsid")


def test_links_within_the_folder_are_read(photos: Path, tmp_path: Path) -> None:
    before = scan(photos).digest()
    target = sorted(breed_of(photos).iterdir())[0]
    target.rename(photos / "kept.jpg")
    target.symlink_to("../../kept.jpg")
    (tmp_path / "named").symlink_to(photos)

    assert scan(photos).digest() == before
    assert scan(tmp_path / "named").digest() == before


def test_what_is_no_file_is_passed_over_and_reported(photos: Path) -> None:
    before, breed = scan(photos).digest(), breed_of(photos)
    (breed / "loop.jpg").symlink_to("loop.jpg")
    (breed / "nothing.jpg").symlink_to("missing.jpg")
    (breed / "device.jpg").symlink_to("/dev/zero")
    os.mkfifo(breed / "pipe.jpg")

    found = check(photos)

    assert found.data.digest() == before
    (reported,) = [each for each in found.findings if each.code == "broken_links"]
    assert {name.rpartition("/")[2] for (name,) in reported.photos} == {
        "loop.jpg",
        "nothing.jpg",
        "device.jpg",
        "pipe.jpg",
    }


def test_one_name_without_a_photo_is_in_the_singular(photos: Path) -> None:
    (breed_of(photos) / "nothing.jpg").symlink_to("missing.jpg")

    (reported,) = [each.summary for each in check(photos).findings if each.code == "broken_links"]

    assert reported.startswith("1 name is a symbolic link to nothing, or no file (a pipe, a device); copy the photo ")


def test_training_takes_the_folder_as_an_option(tmp_path: Path) -> None:
    words = ["--data", "photos", "--model-dir", "model", "--links-to", str(tmp_path)]
    config = Config.from_command_line([*words, "--pretrained", "imagenet"])

    assert config.links_to == tmp_path
    assert "links_to" not in config.hyperparameters()
