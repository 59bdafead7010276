"""The site of the documents in a real Chromium: it asks no other host, its search answers, and a phone shows it."""

import functools
import json
import os
import platform
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.page.browser import FONTS, HERE, NODE, REPOSITORY, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="npm's package of Chromium is for Linux on x86-64",
    ),
]

PAGES = (
    "index.html runbook.html commands.html settings.html http-api.html when-it-is-over.html decisions/index.html "
    "404.html"
)
PICTURES = REPOSITORY / "build" / "page"
"""Screenshots, to look at."""


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_the_site_asks_no_other_host_and_is_readable_on_a_desk_and_on_a_phone(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        check=True,
    )
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        env = {
            **os.environ,
            "CHROMIUM": str(chromium()),
            "FONTCONFIG_FILE": str(FONTS),
            "ADDRESS": f"http://127.0.0.1:{server.server_port}",
            "PAGES": PAGES,
            "PICTURES": str(PICTURES),
        }
        ran = subprocess.run([NODE, HERE / "site.mjs"], env=env, capture_output=True, text=True, check=False)
        server.shutdown()

    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["outside"] == []
    assert seen["faults"] == []
    assert seen["results"] > 3
