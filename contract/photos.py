"""Which files of a folder, or objects of a bucket, are photos to train on, their names, and the digest of them all.

The digest of the same photos is the same everywhere: in a folder (`kennel data check`), in the manifest of a model that
was trained on them, in the bucket (`kennel data version`), and in the name of the training job.
docs/decisions/0065-one-digest-of-the-data.md
"""

import hashlib
import os.path
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.names import is_passed_over, same_breed_twice, same_text

SPLITS = ("train", "valid", "test")
ALSO_CALLED = {"valid": ("val", "validation")}
"""Other names of a split's folder, read if there is no folder with the split's own name."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".png", ".webp"})
"""In lower case. Browsers on Windows save JPEGs as .jfif, and image/jpeg has the other names too. A name decides only
whether a file is taken for a photo; what it is, its content says (inference/photo/file_types.py)."""


@dataclass(frozen=True, slots=True, order=True)
class PhotoFile:
    """One photo as the digest sees it."""

    name: str
    """split/breed/file. The split has its own name: a photo in val/ is valid/breed/file."""
    size: int
    """Bytes."""
    checksum: str
    """The MD5 in hexadecimal digits; of an object in S3 its entity tag.

    That tag is the MD5 of what one PutObject sent to a bucket with S3's own encryption. It is not for an upload in
    several parts, nor under a KMS key or a customer's key: such a bucket's digest can be compared only with itself.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """


def is_photo_file(name: str) -> bool:
    """Whether a file or object of this name is a photo. Hidden files are not: macOS's zip adds `._photo.jpg`."""
    return not is_passed_over(name) and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - names, not paths


def folder_of(split: str, folders: Collection[str]) -> str:
    """The folder of a split, of those that exist. Its own name comes first, and is the result if none exists."""
    return next((name for name in (split, *ALSO_CALLED.get(split, ())) if name in folders), split)


def digest(photos: Iterable[PhotoFile]) -> str:
    """16 hexadecimal digits of the photos' names, sizes and checksums, in any order; empty if there are no photos.

    Names that are the same text count as equal: training does the same with them, and macOS may change their form.
    """
    lines = sorted(_line(photo).encode(errors="surrogateescape") for photo in photos)
    return hashlib.sha256(b"".join(lines)).hexdigest()[:16] if lines else ""


def _line(photo: PhotoFile) -> str:
    return f"{same_text(photo.name)}\t{photo.size}\t{photo.checksum}\n"


def is_digest(text: str) -> bool:
    """Whether the text has the form of this module's digest. A name that a user chose usually has not."""
    return len(text) == 16 and set(text) <= set("0123456789abcdef")


def listed_photos(objects: Iterable[Mapping[str, Any]], prefix: str) -> dict[str, PhotoFile]:
    """The photos among the `Contents` of ListObjectsV2 under a prefix that ends with a slash (or is empty), by key.

    These are the photos that a training job finds in its channel: other objects change neither training nor digest.
    """
    files = {}
    folders = set()
    for item in objects:
        path = item["Key"].removeprefix(prefix)
        folder, slash, rest = path.partition("/")
        if slash:
            folders.add(folder)  # a job's channel has this folder, whatever the object is
        breed, slash, name = rest.partition("/")
        if slash and breed and not is_passed_over(breed) and is_photo_file(name) and "/" not in name:
            files[item["Key"]] = (folder, rest, item)
    split_of = {folder_of(split, folders): split for split in SPLITS}
    return {
        key: PhotoFile(f"{split_of[folder]}/{rest}", item["Size"], item["ETag"].strip('"'))
        for key, (folder, rest, item) in files.items()
        if folder in split_of
    }


def breed_folders(photos: Iterable[PhotoFile]) -> dict[tuple[str, str], list[str]]:
    """The folders of each split and breed, such as ("train", "Pug"): ["Pug"]. Two folders can be the same text."""
    found: dict[tuple[str, str], set[str]] = {}
    for photo in photos:
        split, folder, _ = photo.name.split("/", 2)
        found.setdefault((split, same_text(folder)), set()).add(folder)
    return {breed: sorted(folders) for breed, folders in found.items()}


def two_folders(photos: Iterable[PhotoFile], uri: str) -> str:
    """A sentence about a breed of which the bucket has two folders in one split; empty if there is none."""
    for (split, _), folders in breed_folders(photos).items():
        if len(folders) > 1:
            return f"{uri}{split}/ has {same_breed_twice(*folders[:2])}"
    return ""
