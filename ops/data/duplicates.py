"""Findings about photos that show the same, in groups."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from ops.data.findings import Finding, error, warning
from ops.data.measure import Measured
from ops.data.near_duplicates import most_similar, near_duplicate_groups

Group = Sequence[Measured]


def duplicates(photos: Sequence[Measured]) -> Iterator[Finding]:
    """Groups of photos that show the same: across splits (a leak) and across breeds first, as they change results."""
    of_content: dict[str, list[Measured]] = defaultdict(list)
    for photo in photos:
        of_content[photo.sha256].append(photo)
    identical = [group for group in of_content.values() if len(group) > 1]
    first = [group[0] for group in of_content.values()]
    similar = [[first[i] for i in group] for group in near_duplicate_groups([photo.fingerprint for photo in first])]
    yield from _across("identical", identical, of_several_breeds=error)
    yield from _across("nearly identical", similar, of_several_breeds=warning)
    yield from _repeats("identical", identical, "one photo of each group is enough")
    yield from _repeats("nearly identical", similar, "they add little, and one photo of each group may be enough")


def _across(how: str, groups: Sequence[Group], *, of_several_breeds: Callable[..., Finding]) -> Iterator[Finding]:
    """A group may have both problems, and is then in both findings."""
    code = how.partition(" ")[0]
    if labels := [_led(group, _label) for group in groups if _has_several_breeds(group)]:
        what = f"{_groups(labels, how)} under more than one breed; remove the photos from the wrong breeds."
        yield of_several_breeds(f"{code}_labels", what, labels)
    if leaks := [_led(group, _split) for group in groups if _is_leak(group)]:
        what = (
            f"{_groups(leaks, how)} in more than one split, so test accuracy is inflated; keep each group in one split."
        )
        yield error(f"{code}_leak", what, leaks)


def _repeats(how: str, groups: Sequence[Group], remedy: str) -> Iterator[Finding]:
    repeats = [
        [photo.name for photo in group] for group in groups if not (_has_several_breeds(group) or _is_leak(group))
    ]
    if repeats:
        yield warning(f"{how.partition(' ')[0]}_repeat", f"{_groups(repeats, how)} in one split; {remedy}.", repeats)


def _has_several_breeds(group: Group) -> bool:
    return len({photo.label for photo in group}) > 1


def _is_leak(group: Group) -> bool:
    """Whether photos of one breed are in several splits. Of two breeds, one photo is in the wrong folder instead."""
    return len({(photo.label, photo.split) for photo in group}) > len({photo.label for photo in group})


def _label(photo: Measured) -> object:
    return photo.label


def _split(photo: Measured) -> object:
    return photo.split


def _led(group: Group, part: Callable[[Measured], object]) -> list[str]:
    """The names, after those of the two most similar photos that differ in `part`.

    Without them a reader would see only the first photos of a large group, which are often of one split.
    """
    here = [index for index, photo in enumerate(group) if part(photo) == part(group[0])]
    elsewhere = [index for index, photo in enumerate(group) if part(photo) != part(group[0])]
    pair = most_similar([photo.fingerprint for photo in group], here, elsewhere)
    return [group[i].name for i in pair] + [photo.name for index, photo in enumerate(group) if index not in pair]


def _groups(found: Sequence[Sequence[str]], how: str) -> str:
    photos = sum(map(len, found))
    if len(found) == 1:
        return f"1 group of {photos} {how} photos is"
    return f"{len(found)} groups of {how} photos ({photos} photos) are"
