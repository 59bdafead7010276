"""`make docs`: the site has every document and command, each link leads somewhere, and it loads nothing else."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from typer.main import get_command

from ops.cli import app
from ops.documents.commands import markdown
from ops.documents.dialect import converted
from ops.documents.pages import DECISIONS, OPENAPI, ROOT, SECTIONS, WRITTEN, Site, navigation, site

PAGES = site().pages
BLOCKS = {"ul", "ol", "li", "pre", "table", "tr", "img", "h1", "h2", "h3", "h4"}
LISTS = {"ul", "ol", "li"}
LOADING = {"src", "srcset", "data", "poster", "action", "background"}
"""Attributes of HTML from which a browser loads something by itself, beside `href` of a `link`."""


class Page(HTMLParser):
    """What a page of the site, or a part of one, consists of."""

    def __init__(self, html: str, *, is_part: bool = False) -> None:
        super().__init__()
        self.shape: list[str] = []
        """Each block of the article, with the lists that it is in. All headings are alike."""
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.policy = ""
        self._lists: list[str] = []
        self._in_article = is_part
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.loaded += [value for name, value in found.items() if name in LOADING]
        self.loaded += (
            [found["href"]] if tag == "link" and found.get("rel") not in ("canonical", "prev", "next") else []
        )
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        self._in_article |= tag == "article"
        if self._in_article and tag in BLOCKS:
            self.shape.append("/".join([*self._lists, "heading" if tag[1:].isdigit() else tag]))
            self._lists += [tag] if tag in LISTS else []

    def handle_endtag(self, tag: str) -> None:
        self._in_article &= tag != "article"
        if self._lists and self._lists[-1] == tag:
            self._lists.pop()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "DOCS_REPOSITORY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr
    return folder


@pytest.fixture(scope="module")
def parsed(built: Path) -> dict[str, Page]:
    """Each page by its path in the site."""
    return {path.relative_to(built).as_posix(): Page(path.read_text()) for path in built.rglob("*.html")}


def html(place: str) -> str:
    """The file of the site for a page such as decisions/README.md."""
    return re.sub(r"(^|/)README\.md$", r"\1index.md", place).removesuffix(".md") + ".html"


def test_every_document_is_a_page_and_in_the_menu(parsed: dict[str, Page]) -> None:
    documents = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "rehearsal" / "README.md"}
    menu = set(places(navigation(site())))

    assert {path.relative_to(ROOT).as_posix() for path in documents} == set(PAGES)
    assert {html(place) for place in (*PAGES.values(), *WRITTEN)} <= parsed.keys()
    assert {*PAGES.values(), *WRITTEN} == menu


def places(menu: Any) -> Iterator[str]:
    """Every page of a menu."""
    if isinstance(menu, str):
        yield menu
    else:
        for entry in menu.values() if isinstance(menu, dict) else menu:
            yield from places(entry)


def test_every_page_has_the_blocks_that_github_shows(parsed: dict[str, Page]) -> None:
    """Lists, their nesting, code, tables, pictures and headings, as a reader of CommonMark finds them in the file."""
    reader = MarkdownIt("commonmark").enable("table")
    for path, place in PAGES.items():
        expected = Page(reader.render((ROOT / path).read_text()), is_part=True).shape
        assert expected, path
        assert parsed[html(place)].shape == expected, path


def test_every_link_leads_to_a_page_and_a_heading_or_to_another_host(parsed: dict[str, Page], built: Path) -> None:
    followed = 0
    for name, page in parsed.items():
        for link in page.links:
            if link.startswith("https:"):
                continue
            path, _, anchor = link.partition("#")
            target = (built / name).parent / unquote(path) if path not in ("", ".") else built / name
            if name == "404.html":  # is shown at any address, so its links begin at the root
                target = built / unquote(path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{name} links to {link}"
            if anchor and target.suffix == ".html":
                known = parsed[target.resolve().relative_to(built.resolve()).as_posix()].ids
                assert unquote(anchor) in known, f"{name} links to {link}"
            followed += 1
    assert followed > 1000


def test_nothing_is_loaded_from_another_host(parsed: dict[str, Page], built: Path) -> None:
    for name, page in parsed.items():
        assert [each for each in page.loaded if re.match(r"[a-z]+:(?<!data:)|//", each)] == [], name
        directives = dict(part.strip().partition(" ")[::2] for part in page.policy.split(";"))
        assert directives["default-src"] == "'self'", name
        assert not any("http" in sources or "*" in sources for sources in directives.values()), name
    for style in built.rglob("*.css"):
        assert re.findall(r"url\([\"']?(?:https?:)?//|@import", style.read_text()) == [], style.name


def test_the_page_of_the_commands_has_each_command_option_and_example() -> None:
    page = markdown(get_command(app))
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}

    leaves = dict(commands(get_command(app), "kennel"))
    assert sections.keys() == leaves.keys()
    assert len(leaves) > 10
    for name, command in leaves.items():
        assert f"\n{name} " in sections[name], "its usage"
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert {option for option in options if not re.search(rf"{option}\b", sections[name])} == set(), name
        for example in re.findall(r"Example: \[bold\](.*?)\[/bold\]", command.help or "", re.DOTALL):
            assert " ".join(example.split()) in sections[name]
    assert "[bold]" not in page


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        elif not command.hidden:
            yield f"{name} {word}", command


def test_the_page_of_the_http_api_has_each_route_member_status_error_and_remedy(built: Path) -> None:
    document = json.loads((ROOT / OPENAPI).read_text())
    sections = dict(headed((built / "http-api.html").read_text()))
    expected = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]

    assert len(expected) > 1
    for route, operation in expected:
        assert operation["summary"] in sections[route]
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in sections[route]
            assert parameter["description"] in sections[route]
        for status, response in operation["responses"].items():
            [section] = [text for title, text in sections.items() if title.startswith(f"{route}: {status} ")]
            for header in response.get("headers", {}):
                assert header in section
            for name, example in examples(response):
                words = [example.get("summary", ""), example.get("description", "").replace("`", ""), name]
                assert [each for each in words if each not in section and each not in ("gateway", "answer")] == []
            shown = {name == "gateway": example["value"] for name, example in reversed(list(examples(response)))}
            for value in shown.values():
                assert " ".join(json.dumps(value, indent=2).split()) in section
    body = sections["Body of POST /predict"]
    for name, member in members(document["components"]["schemas"]["Request"]):
        assert name in body
        assert member.get("description", "") in body
        assert [
            each["pattern"] for each in (member, *member.get("anyOf", [])) if each.get("pattern", "") not in body
        ] == []
    answer = next(text for title, text in sections.items() if title.startswith("POST /predict: 200 "))
    assert [name for name, _ in members(document["components"]["schemas"]["Answer"]) if name not in answer] == []


def examples(response: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for content in response["content"].values():
        yield from content.get("examples", {}).items()


def members(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, member in schema.get("properties", {}).items():
        yield name, member
        yield from members(member.get("items", member))


def headed(page: str) -> Iterator[tuple[str, str]]:
    """Each heading of the article with the text below it, in which a space stands for each run of white space."""
    article = page.partition("<article")[2].partition("</article")[0]
    for part in re.split(r"<h[1-6]", article)[1:]:
        heading, _, rest = part.partition("</h")
        title = re.sub(r"<a .*|<[^>]+>", "", heading.partition(">")[2])
        yield unescape(title).strip(), " ".join(unescape(re.sub(r"<[^>]+>", "", rest)).split())


def test_a_new_document_gets_a_place_in_the_menu() -> None:
    [more] = [entry["More"] for entry in navigation(Site({**PAGES, "docs/new.md": "new.md"})) if "More" in entry]

    assert "new.md" in more


def test_every_page_that_has_a_place_in_the_menu_exists() -> None:
    listed = {place for section in SECTIONS.values() for place in section}

    assert listed - set(PAGES.values()) == set(WRITTEN)


@pytest.mark.parametrize(
    ("path", "link", "target"),
    [
        ("README.md", "docs/runbook.md#quota-errors", "runbook.md#quota-errors"),
        ("README.md", "docs/page.webp", "page.webp"),
        ("docs/runbook.md", "../CONTRIBUTING.md", "contributing.md"),
        (DECISIONS, "0022-data-capture.md", "0022-data-capture.md"),
        ("docs/settings.md", "../stacks/settings", "https://example.org/dogs/tree/HEAD/stacks/settings"),
        ("rehearsal/README.md", "cloud/images.py", "https://example.org/dogs/blob/HEAD/rehearsal/cloud/images.py"),
        ("docs/runbook.md", "no-such-file.md", "no-such-file.md"),  # MkDocs reports it
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(path: str, link: str, target: str) -> None:
    found = Site(PAGES, "https://example.org/dogs")

    assert found.with_links(path, f"See [it]({link}), `[code]({link})`.") == f"See [it]({target}), `[code]({link})`."


def test_without_an_address_of_the_repository_a_source_file_is_not_linked() -> None:
    assert Site(PAGES).with_links("README.md", "in [the app](app.py)") == "in the app"


@pytest.mark.parametrize(
    ("github", "python_markdown"),
    [
        ("- a\n  - b\n    c\n", "- a\n    - b\n        c\n"),
        ("1. a\n\n   ```\n   x\n     y\n   ```\n2. b\n", "1. a\n\n    ```\n    x\n      y\n    ```\n\n2. b\n"),
        ("text\n- a\n\nmore\n", "text\n\n- a\n\nmore\n"),
        ("```\n- a\n  - b\n# c\n```\n", "```\n- a\n  - b\n# c\n```\n"),
        ("# A\n\n# B\n\n## C\n", "# A\n\n## B\n\n### C\n"),
        ("# A\n\n## B\n", "# A\n\n## B\n"),
    ],
)
def test_a_document_is_written_for_python_markdown(github: str, python_markdown: str) -> None:
    assert converted(github) == python_markdown
