"""What MkDocs calls while it builds the site: https://www.mkdocs.org/dev-guide/plugins/#events"""

import json
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from ops.cli import app
from ops.documents import commands, http_api
from ops.documents.dialect import converted
from ops.documents.pages import ELSEWHERE, OPENAPI, ROOT, Site, navigation, site


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page into the menu."""
    config.nav = navigation(site())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs/, and those that are written now."""
    for path, place in ELSEWHERE.items():
        files.append(File.generated(config, place, content=(ROOT / path).read_text(encoding="utf-8")))
    files.append(File.generated(config, "commands.md", content=commands.markdown(get_command(app))))
    described = json.loads((ROOT / OPENAPI).read_text(encoding="utf-8"))
    files.append(File.generated(config, "http-api.md", content=http_api.markdown(described)))
    return files


def on_page_markdown(text: str, page: Any, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs names them
    """Write a page for Python-Markdown, with the links of the site instead of those of the repository."""
    found = site()
    return converted(found.with_links(_source(found, page.file.src_uri), text))


def _source(found: Site, place: str) -> str:
    """The file of the repository that is at a place of the site."""
    return next((path for path, at in found.pages.items() if at == place), f"docs/{place}")
