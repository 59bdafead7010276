"""From the Markdown that GitHub shows to what Python-Markdown, on which MkDocs is built, reads in the same way."""

import re

_FENCE = re.compile(r" *(```+|~~~+)")
_ITEM = re.compile(r"( *)([-*+]|\d+\.)( +)(?=\S)")
_HEADING = re.compile(r"(#+) ")
LEVEL = 4
"""Spaces by which Python-Markdown wants the content of a list item to be indented. GitHub wants the width of the item's
mark, such as 2 for `- ` and 3 for `1. `. https://python-markdown.github.io/#differences"""


def converted(text: str) -> str:
    """The same document for Python-Markdown: lists keep their nesting, and one heading is above all others."""
    demote = len(re.findall(r"^# ", _without_code(text), re.MULTILINE)) > 1
    lines: list[str] = []
    widths: list[int] = []  # where the content of each open list item begins
    fence, is_title = "", True
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and not (fence and widths):
            while widths and indent < widths[-1] and not _is_lazy(lines, line, indent):
                widths.pop()
        within = widths[-1] if widths else 0
        body = line[min(indent, within) :]
        if marks := _FENCE.match(line):
            fence = "" if fence and line.strip() == fence else fence or marks[1]
        elif not fence and (item := _ITEM.match(body)) and len(item[1]) < LEVEL:
            if not widths and lines and lines[-1].strip() and not _ITEM.match(lines[-1]):
                lines.append("")  # Python-Markdown begins no list within a paragraph
            lines.append(" " * LEVEL * len(widths) + body.lstrip(" "))
            widths.append(within + len(item[0]))
            continue
        elif not fence and not widths and (heading := _HEADING.match(line)):
            body = f"#{line}" if demote and not is_title else line
            is_title = is_title and len(heading[1]) > 1
        lines.append(" " * LEVEL * len(widths) + body if body.strip() else "")
    return "\n".join(lines) + "\n"


def _is_lazy(lines: list[str], line: str, indent: int) -> bool:
    """Whether a line that is not indented continues the paragraph of the list item above it."""
    starts_block = indent == 0 and re.match(r"#|\||>|```|[-*+] |\d+\. ", line)
    return bool(lines and lines[-1].strip()) and not starts_block and not _ITEM.match(line)


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
