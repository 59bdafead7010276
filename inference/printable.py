"""Whether a breed's name can be shown as it is, in a terminal, a log and a page."""

import re

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff]"
)
"""The same expression as contract/text.py, which says why; this package imports nothing else of the repository."""


def is_printable(name: str) -> bool:
    """Whether the name has no character that controls a display or hides in it, and is not blank."""
    return bool(name.strip()) and UNPRINTABLE.search(name) is None
