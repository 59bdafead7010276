"""Under which key of the bucket each photo of a folder is stored."""

from collections.abc import Collection, Mapping
from pathlib import Path

from contract.names import same_text


def keys_of(photos: Mapping[str, Path], there: Collection[str]) -> dict[str, Path]:
    """The photos by key. photos: by the key that their names give. there: the keys of the photos in the bucket.

    A key is the photo's name. But where the bucket has the same name, or the same breed's folder, in another form of
    Unicode, that one is used: a second object would be the same photo twice, and a second folder the same breed.
    """
    of_photo = {same_text(key): key for key in sorted(there)}
    of_folder = {same_text(key).rpartition("/")[0]: key.rpartition("/")[0] for key in sorted(there)}
    found: dict[str, Path] = {}
    for key, path in photos.items():
        folder, _, file = key.rpartition("/")
        used = of_photo.get(same_text(key), f"{of_folder.get(same_text(folder), folder)}/{file}")
        if key in there or used in photos or used in found:  # two files of the folder may be the same text
            used = key
        found[used] = path
    return found
