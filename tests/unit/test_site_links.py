"""Links to other hosts: which ones there are, and that `make links` finds those that are dead."""

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.documents.links import FILES, addresses, every_address
from tests.packages import planned

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv-links" / "bin" / "linkchecker"
CONFIGURATION = ROOT / ".ci" / "linkchecker.ini"
NAMES_OF_FORMATS = {"http://json-schema.org/draft-04/schema#", "http://www.w3.org/2000/svg"}
STATUSES = {"/ok": 200, "/moved": 301, "/busy": 429, "/gone": 404, "/denied": 403, "/failed": 500}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[it](https://docs.aws.amazon.com/a.html), and", ["https://docs.aws.amazon.com/a.html"]),
        ("see https://a.org/b_(c).", ["https://a.org/b_(c)"]),
        ("(https://a.org/b).", ["https://a.org/b"]),
        ("`https://a.org/b#part`", ["https://a.org/b"]),
        ("https://a.org https://b.org/", ["https://a.org", "https://b.org/"]),
        ("https://{api}.execute-api.us-east-1.amazonaws.com", []),
        ("https://photos.example.org/a.jpg https://example.com https://localhost/a https://... https://HOST/", []),
        ("https://github.com/OWNER/NAME https://10.0.0.1/ https://[::1]/", []),
    ],
)
def test_the_addresses_of_a_text_are_found(text: str, found: list[str]) -> None:
    assert list(addresses(text)) == found


def test_each_link_of_a_document_to_another_host_is_followed() -> None:
    followed = set(every_address())
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    linked = {link for page in documents for link in re.findall(r"\]\((https:[^)#\s]+)", page.read_text())}

    assert len(linked) > 50
    assert len(followed) > len(linked)
    assert linked - followed == set()


def test_no_file_has_an_address_without_tls_but_the_names_of_formats() -> None:
    found = subprocess.run(
        ["git", "grep", "-hoE", r"http://[a-z0-9-]+\.[a-z][^ \"'`<>)]+", "--", *FILES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert {each for each in found if "{" not in each and "example" not in each} == NAMES_OF_FORMATS


def test_the_verb_gives_the_addresses_to_the_locked_program() -> None:
    commands = planned("make links")

    assert (
        "python -m ops.documents.links | .venv-links/bin/linkchecker --config=.ci/linkchecker.ini --stdin" in commands
    )
    assert "--require-hashes -r locks/links.txt" in commands


class Host(BaseHTTPRequestHandler):
    """Answers with a status for each path, and `/slow` not at all."""

    stopped: threading.Event

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.stopped.wait()
            return
        status = STATUSES.get(self.path, 404)
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/ok")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    stopped = threading.Event()
    handler = type("Stoppable", (Host,), {"stopped": stopped})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        stopped.set()
        server.shutdown()


def follow(*links: str) -> tuple[int, set[str]]:
    """The exit status of LinkChecker, and what it calls an error."""
    run = subprocess.run(
        [PROGRAM, f"--config={CONFIGURATION}", "--timeout=2", "--output=csv", "--stdin"],
        input="\n".join(links),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "linkchecker.github.io" in run.stdout, run.stderr
    return run.returncode, {
        line.partition(";")[0] for line in run.stdout.splitlines() if re.search(r";False;http", line)
    }


@pytest.mark.slow
def test_dead_links_are_found_and_no_others(host: str) -> None:
    """`make test-slow` installs the program."""
    alive = [f"{host}/ok", f"{host}/moved", f"{host}/busy"]
    dead = [f"{host}/gone", f"{host}/denied", f"{host}/failed", f"{host}/slow", "http://127.0.0.1:1/"]

    assert follow(*alive) == (0, set())
    assert follow(*alive, *dead) == (1, set(dead))
