"""The audit of the locked packages: what it reads, what fails it, and what does not."""

import datetime
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.audit.packages import __main__ as audit
from tests.audit.packages.advisories import Accepted, Advisory, ServiceUnreachableError, advisories, faults
from tests.audit.packages.components import write
from tests.audit.packages.locks import LOCKS, ROOT, every_pin, layers, pins

PROGRAMS = ROOT / ".venv-advisories" / "bin"
LEAK = Advisory("requests", "2.19.0", ("CVE-2018-18074", "GHSA-x84v-xcm2-53pg"), ("2.20.0",))
LEAK_AT_OSV = {
    "id": "GHSA-x84v-xcm2-53pg",
    "aliases": ["CVE-2018-18074"],
    "summary": "Credentials are sent to another host",
    "affected": [
        {
            "package": {"name": "requests", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.20.0"}]}],
        }
    ],
}
PINS = {("requests", "2.19.0"), ("uv", "0.13.9")}
ENTRY = Accepted(package="requests", reason="Only the tests use it.", on=datetime.date(2026, 11, 27))


def test_it_reads_every_lock_that_make_lock_writes() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nlock:")[1].split("\n\n")[0]
    assert sorted(LOCKS) == sorted(re.findall(r"^\tcompile \S+ (\S+)", recipe, re.MULTILINE))


def test_the_pins_for_other_pythons_are_checked_too() -> None:
    """pip-audit by itself reads only the lines for the Python that runs it."""
    versions = {version for name, version in every_pin() if name == "numpy"}
    assert len(versions) > 1
    assert all(len({name for name, _ in layer}) == len(layer) for layer in layers(every_pin()))
    assert {pin for layer in layers(every_pin()) for pin in layer} == every_pin()


@pytest.mark.parametrize(
    "line", ["numpy>=2", "numpy==2.4.6", "-r other.txt", "numpy==2.4.6 ; no marker \\\n    --hash=x"]
)
def test_a_lock_with_anything_but_versions_and_hashes_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="run make lock"):
        list(pins(f"uv==0.13.9 \\\n    --hash=sha256:{'0' * 64}\n{line}\n"))


def test_an_advisory_is_a_fault_that_names_its_remedy() -> None:
    (sentence,) = faults([LEAK], {})
    assert "requests 2.19.0 has the advisory CVE-2018-18074" in sentence
    assert "upgrade to 2.20.0" in sentence


@pytest.mark.parametrize("identity", LEAK.ids)
def test_an_accepted_advisory_is_no_fault_by_any_of_its_ids(identity: str) -> None:
    assert list(faults([LEAK], {identity: ENTRY})) == []


def test_an_accepted_advisory_that_is_gone_is_a_fault() -> None:
    (sentence,) = faults([], {"CVE-2018-18074": ENTRY})
    assert "is not reported any more: remove the entry" in sentence


def program(folder: Path, *lines: str) -> Path:
    """A program in pip-audit's place."""
    file = folder / "pip-audit"
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return file


def test_a_package_that_was_not_looked_up_is_an_error(tmp_path: Path) -> None:
    """With an index that does not know a package, pip-audit reports no vulnerability and succeeds."""
    skipped = {"dependencies": [{"name": "uv", "skip_reason": "Dependency not found on PyPI"}], "fixes": []}
    with pytest.raises(RuntimeError, match=r"did not report on uv==0\.13\.9"):
        advisories(program(tmp_path, f"echo '{json.dumps(skipped)}'"), {("uv", "0.13.9")})


def test_a_bug_of_pip_audit_is_not_taken_for_a_service_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"pip-audit ended with 2: .*AttributeError"):
        advisories(program(tmp_path, "echo AttributeError: no attribute >&2", "exit 2"), {("uv", "0.13.9")})


# -- pip-audit and cyclonedx-py themselves, which `make audit` installs

Service = Callable[..., str]


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Start a stand-in for osv.dev on loopback, which knows one leak of requests and of no other package."""
    servers: list[ThreadingHTTPServer] = []

    def start(*, status: int = 200, body: bytes | None = None, leaks: Mapping[str, object] = LEAK_AT_OSV) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
                answer = {"vulns": [leaks]} if package == "requests" else {}
                content = json.dumps(answer).encode() if body is None else body
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        address = f"http://127.0.0.1:{server.server_port}/v1/query"
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", address)
        return address

    if not (PROGRAMS / "pip-audit").exists():
        pytest.skip("pip-audit is not installed: `make audit` does it.")
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """List the components of the shortest lock alone: the others take a minute."""
    monkeypatch.setattr("tests.audit.packages.components.LOCKS", ("locks/uv.txt",))


@pytest.mark.slow
def test_pip_audit_finds_the_advisory_of_a_pinned_package(osv: Service) -> None:
    osv()
    assert advisories(PROGRAMS / "pip-audit", PINS) == [LEAK]


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [{"status": 503, "body": b"busy"}, {"status": 403, "body": b"no"}, {"body": b"<html>log in</html>"}],
    ids=str,
)
def test_an_error_of_the_service_is_not_taken_for_an_advisory(osv: Service, answer: dict[str, object]) -> None:
    osv(**answer)
    with pytest.raises(ServiceUnreachableError):
        advisories(PROGRAMS / "pip-audit", PINS)


@pytest.mark.slow
def test_without_a_service_the_audit_says_so_and_passes(
    osv: Service, one_list: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:1/v1/query")
    assert audit.main(tmp_path, PROGRAMS) == 0
    assert "were not checked for advisories, because the service did not answer" in capsys.readouterr().out


@pytest.mark.slow
def test_an_advisory_fails_the_audit_and_every_locked_package_is_looked_up(
    osv: Service, one_list: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    osv()
    assert "requests" in {name for name, _ in every_pin()}
    assert audit.main(tmp_path, PROGRAMS) == 1
    assert "has the advisory CVE-2018-18074" in capsys.readouterr().err


@pytest.mark.slow
def test_the_components_are_the_pins_with_their_hashes(tmp_path: Path) -> None:
    if not (PROGRAMS / "cyclonedx-py").exists():
        pytest.skip("cyclonedx-py is not installed: `make audit` does it.")
    files = write(PROGRAMS / "cyclonedx-py", tmp_path)

    assert len(files) == len(LOCKS)
    for lock, file in zip(LOCKS, files, strict=True):
        document = json.loads(file.read_text())
        found = {(each["name"], each["version"]) for each in document["components"]}
        assert (document["bomFormat"], found) == ("CycloneDX", set(pins((ROOT / lock).read_text())))
        assert all(each["externalReferences"][0]["hashes"] for each in document["components"])
