"""Which tags AWS accepts on every resource. A deploy would refuse others only when it creates the first of them."""

import unicodedata
from collections.abc import Mapping

PROJECT = "project"
"""The tag that every resource has."""
MOST = 46
"""AWS allows 50 tags on a resource. A subnet has four besides those of the environment: `project`, and three of CDK."""
LONGEST_KEY, LONGEST_VALUE = 128, 256
MARKS = "_.:/=+-@"
"""What a key or a value may contain besides letters, digits and spaces of any language.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules
"""


def tags_error(tags: Mapping[str, str]) -> str | None:
    """One sentence about the first tag that AWS would refuse, or None."""
    if len(tags) > MOST:
        return f"[tags] has {len(tags)} tags, but must have at most {MOST}: AWS allows 50, and four are set already."
    seen = {PROJECT: PROJECT}
    for key, value in tags.items():
        before = seen.setdefault(key.lower(), key)
        if key.lower() == PROJECT:
            return f"tags.{key} is already set to the project's name. Leave it out."
        if before != key:
            return f"[tags] has {before!r} and {key!r}, but IAM ignores the case of a key. Leave one out."
        if sentence := _tag_error(key, value):
            return sentence
    return None


def _tag_error(key: str, value: str) -> str | None:
    if not 1 <= len(key) <= LONGEST_KEY:
        return f"[tags] has a key of {len(key)} characters, {key!r}, but a key must have between 1 and {LONGEST_KEY}."
    if len(value) > LONGEST_VALUE:
        return f"tags.{key} has {len(value)} characters, but must have at most {LONGEST_VALUE}."
    if key.lower().startswith("aws:"):
        return f"[tags] has the key {key!r}, but AWS reserves keys that start with aws: for itself. Rename the tag."
    for what, text in ((f"the key {key!r}", key), (f"the value {value!r}", value)):
        wrong = next((character for character in text if not _is_allowed(character)), None)
        if wrong is not None:
            return f"[tags] has {what}, but AWS allows only letters, digits, spaces and {MARKS}. Replace {wrong!r}."
    return None


def _is_allowed(character: str) -> bool:
    return character in MARKS or unicodedata.category(character)[0] in "LNZ"  # letters, numbers, separators
