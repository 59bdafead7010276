"""Which photos of a data set show the same, so that they must be in one split."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inference.cores import usable_cores
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from inference.photo.file_types import JPEG, file_type
from inference.photo.limits import decode_on
from ops.data.measure import CHECKED_SIDE, scaled
from ops.data.near_duplicates import Fingerprint, fingerprint, near_duplicate_groups
from training.data.truncated import decode_truncated


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one photo shows."""

    sha256: str
    fingerprint: Fingerprint | None
    """None if the photo cannot be used."""
    problem: str = ""
    """Why it cannot be used."""
    is_truncated: bool = False
    """Whether it can be used for training only."""


def look_at(paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> list[Look]:
    """Read and decode each photo, on all cores. `progress(done, total)` is called in this thread."""
    looks = []
    decode_on(usable_cores())
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for done, look in enumerate(pool.map(_look, paths), start=1):
                looks.append(look)
                if progress:
                    progress(done, len(paths))
        finally:
            pool.shutdown(cancel_futures=True)
    return looks


def _look(path: Path) -> Look:
    try:
        content = path.read_bytes()
    except OSError as error:
        return Look(sha256="", fingerprint=None, problem=f"The file cannot be read ({error.strerror}).")
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        return Look(sha256=sha256, fingerprint=fingerprint(scaled(decode(content, shorter_side=CHECKED_SIDE))))
    except PhotoError as error:
        problem = error.message
        if error.kind != "broken_photo" or file_type(content) is not JPEG:
            return Look(sha256=sha256, fingerprint=None, problem=problem)
    try:
        image, _ = decode_truncated(content, shorter_side=CHECKED_SIDE)
    except PhotoError:
        return Look(sha256=sha256, fingerprint=None, problem=problem)
    return Look(sha256=sha256, fingerprint=fingerprint(scaled(image)), is_truncated=True)


def groups(looks: Sequence[Look]) -> list[list[int]]:
    """Indices of the usable photos, in groups of identical and near duplicates; most groups have one photo.

    A near duplicate of a near duplicate is in the same group.
    """
    of_content: dict[str, list[int]] = defaultdict(list)
    prints: list[Fingerprint] = []
    for index, look in enumerate(looks):
        if look.fingerprint is not None:
            if look.sha256 not in of_content:
                prints.append(look.fingerprint)
            of_content[look.sha256].append(index)
    contents = list(of_content.values())
    several = near_duplicate_groups(prints)
    alone = set(range(len(contents))).difference(*several)
    return [
        [index for content in group for index in contents[content]] for group in [*several, *([each] for each in alone)]
    ]
