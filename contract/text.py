"""Text that others wrote, for a terminal or a log: file names, keys in S3, labels, and what a server answered.

docs/decisions/0101-what-a-terminal-gets.md
"""

import re

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff]"
)
"""What controls a display or hides in it: C0 and C1 controls (escape sequences begin with one), line and paragraph
separators, marks that change the direction of the text around them, invisible format characters, and lone surrogates,
which stand for bytes that are not UTF-8. The two joiners U+200C and U+200D are not among them: Persian words and emoji
consist of them. By code point, so that each version of Python draws the same line. inference/printable.py has the same
expression, because the container has no contract/."""

_LINE_BREAK_AND_TAB = "\n\t"


def printable(text: object) -> str:
    """The text as one line without UNPRINTABLE: a line break is `\\n`, the escape character is `\\x1b`, and a byte that
    is not UTF-8 is that byte, such as `\\xff`."""
    return UNPRINTABLE.sub(_escaped, str(text))


def printable_lines(text: object) -> str:
    """The same for a text of several lines: line breaks and tabs stay."""
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] in _LINE_BREAK_AND_TAB else _escaped(found), str(text))


def indented(text: object) -> str:
    """The same with each line after the first indented, so that none of them passes for a line of Kennel's own."""
    return printable_lines(text).replace("\n", "\n  ")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return found[0].encode("unicode_escape").decode()
