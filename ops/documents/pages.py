"""Which files of the repository are pages of the site, in which order, and where their links lead."""

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
DECISIONS = "docs/decisions/README.md"
OPENAPI = "docs/openapi.json"

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "rehearsal/README.md": "local-aws.md",
}
"""Pages outside of docs/: the file, and its place in the site."""

WRITTEN = ("commands.md", "http-api.md")
"""Pages that are written when the site is built."""

FIRST = ("index.md", "questions.md")
"""Pages above the sections of the menu."""

SECTIONS: dict[str, tuple[str, ...]] = {
    "Try it": ("rehearsal.md", "training.md", "requests.md"),
    "Deploy it": ("environments.md", "delivery.md", "scale.md"),
    "Operate it": (
        "operating.md",
        "runbook.md",
        "retraining.md",
        "audit.md",
        "sweep.md",
        "drift.md",
        "when-it-is-over.md",
    ),
    "Look it up": ("commands.md", "settings.md", "http-api.md"),
    "Understand it": (
        "architecture.md",
        "benchmarks.md",
        "threat-model.md",
        "security.md",
        "local-aws.md",
        "contributing.md",
        "changelog.md",
    ),
}
"""The order of the pages: that of an operator's work. A page that is not listed is in the section `More`."""

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages by the path of their file in the repository."""

    pages: dict[str, str]
    repository: str = ""
    """The address of the repository on the web, such as https://github.com/OWNER/NAME. Empty: files that are no page
    are not linked."""

    def place(self, path: str) -> str:
        """Where a file of docs/ or a page is in the site; empty for any other file."""
        if path in self.pages:
            return self.pages[path]
        return path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") and (ROOT / path).is_file() else ""

    def with_links(self, path: str, text: str) -> str:
        """The text of a file, with links that are right in the site."""
        parts, end = [], 0
        for code in CODE.finditer(text):
            parts += [self._linked(path, text[end : code.start()]), code[0]]
            end = code.end()
        return "".join([*parts, self._linked(path, text[end:])])

    def _linked(self, path: str, prose: str) -> str:
        prose = LINK.sub(lambda found: self._target(path, found[1]), prose)
        return re.sub(r"\[([^\]]*)\]\(\)", r"\1", prose)  # a link without a target is its text

    def _target(self, path: str, link: str) -> str:
        file, hash_sign, anchor = link.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), file))
        if place := self.place(file):
            return posixpath.relpath(place, posixpath.dirname(self.place(path)) or ".") + hash_sign + anchor
        if not (ROOT / file).exists():
            return link  # MkDocs reports it
        if not self.repository:
            return ""
        kind = "tree" if (ROOT / file).is_dir() else "blob"
        return f"{self.repository}/{kind}/HEAD/{file}{hash_sign}{anchor}"


def site() -> Site:
    """The pages of this repository. DOCS_REPOSITORY is the repository's address on the web."""
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / DOCS).rglob("*.md"))
    pages = {file: file.removeprefix(f"{DOCS}/") for file in files}
    return Site({**ELSEWHERE, **pages}, os.environ.get("DOCS_REPOSITORY", "").rstrip("/"))


def navigation(found: Site) -> list[Any]:
    """The menu, as mkdocs.yml would have it."""
    decisions = [place for place in found.pages.values() if place.startswith("decisions/")]
    listed = {*FIRST, *decisions, *(place for places in SECTIONS.values() for place in places)}
    existing = {*found.pages.values(), *WRITTEN}
    more = sorted(existing - listed)
    sections = {**SECTIONS, **({"More": tuple(more)} if more else {})}
    menu: list[Any] = list(FIRST)
    menu += [{title: [place for place in places if place in existing]} for title, places in sections.items()]
    return [*menu, {"Decisions": ["decisions/README.md", *_subjects()]}]


def _subjects() -> Iterator[object]:
    """The decisions below the headings of their index."""
    index = (ROOT / DECISIONS).read_text(encoding="utf-8")
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        title, _, lines = section.partition("\n")
        yield {title: [f"decisions/{page}" for page in re.findall(r"^- \[.*\]\((.+)\)$", lines, re.MULTILINE)]}
