"""Findings about names of breeds: names that mean one breed, or that look like another one.

docs/decisions/0083-names-of-breeds.md lists which names are refused, and which are errors and warnings here.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from contract.names import alike, shown
from ops.data.findings import Finding, error, warning

_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE"})
"""Scripts that have letters of the same shape, such as Latin and Cyrillic a. The first word of a letter's name."""


def breed_names(breeds: Sequence[str]) -> Iterator[Finding]:
    """An error for names that differ in what readers or other systems do not see; warnings for suspicious names."""
    named: dict[str, list[str]] = defaultdict(list)
    for breed in breeds:
        named[alike(breed)].append(breed)
    if same := [group for group in named.values() if len(group) > 1]:
        what = (
            f"{_breeds(same)} folders under several names, such as {shown(same[0][0])} and {shown(same[0][1])}: they "
            "differ only in case, spaces, punctuation or the form of a character. Give the folders one name."
        )
        yield error("same_name", what, same)
    if mixed := [breed for breed in breeds if _mixes_scripts(breed)]:
        what = (
            f"{_names(mixed)} letters of several scripts in one word, such as {shown(mixed[0])}, which looks like "
            "another name. Write it in one script."
        )
        yield warning("mixed_scripts", what, [[breed] for breed in mixed])
    if edges := [breed for breed in breeds if breed != breed.strip() or breed.endswith(".")]:
        what = (
            f"{_names(edges)} a space at an end, or a dot at the end, such as '{edges[0]}'; Windows removes both, so "
            "copies have other labels. Rename the folder in every split."
        )
        yield warning("name_ends", what, [[breed] for breed in edges])


def _mixes_scripts(name: str) -> bool:
    return any(len(_scripts(word)) > 1 for word in re.findall(r"[^\W\d_]+", name))


def _scripts(word: str) -> set[str]:
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in word} & _SCRIPTS


def _breeds(groups: Sequence[object]) -> str:
    return "1 breed has" if len(groups) == 1 else f"{len(groups)} breeds have"


def _names(breeds: Sequence[object]) -> str:
    return "1 breed's name has" if len(breeds) == 1 else f"{len(breeds)} breeds' names have"
