"""`kennel predict --url`, against the real server with its page, and what an HTTP API gets and answers."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.targets.reply import TargetError
from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import listening
from tests.rehearsal.container import ANSWER, JPEG

HTTP_API = "http://abc123.execute-api.eu-west-1.amazonaws.com/predict"
SECRET = "testing"


@dataclass
class Server:
    url: str
    answers: list[tuple[int, dict[str, str], object]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers and body."""
    cuts_off: bool = False
    """Whether the next answer ends before its end."""


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, self.read_body()))
            if found.cuts_off:
                found.cuts_off, self.close_connection = False, True
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"pre')
                return
            status, headers, body = found.answers.pop(0) if found.answers else (200, {}, ANSWER)
            self.answer(status, json.dumps(body).encode(), headers)

    with LoopbackServer(Handler) as running:
        found = Server(running.url)
        yield found


@pytest.fixture(autouse=True)
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "KENNEL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rex.jpg").write_bytes(JPEG)


def predict(*words: str) -> Result:
    return CliRunner().invoke(app, ["predict", *words])


def sentence(result: Result) -> str:
    assert isinstance(result.exception, TargetError), result.output
    return str(result.exception)


def test_a_container_answers_at_invocations(tmp_path: Path) -> None:
    (tmp_path / "red.jpg").write_bytes(any_photo())
    with listening(write_artifact(tmp_path / "model"), tmp_path / "logs") as running:
        running.wait_until_ready()
        result = predict("red.jpg", "rex.jpg", "--url", f"{running.url}/invocations", "--top-k", "1")

    assert (result.exit_code, result.stdout) == (1, "red.jpg: Beagle 100.0%\n")
    assert "rex.jpg: " in result.stderr


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/predict"),
        ("/", "/predict"),
        ("/predict", "/predict"),
        ("/predict/", "/predict"),
        ("/_aws/execute-api/0123abcd/", "/_aws/execute-api/0123abcd/predict"),  # the page of a rehearsal
        ("/_aws/execute-api/0123abcd/predict", "/_aws/execute-api/0123abcd/predict"),
        ("/dogs", "/dogs"),
    ],
)
def test_a_server_is_asked_at_predict(server: Server, path: str, asked: str) -> None:
    assert predict("rex.jpg", "--url", f"{server.url}{path}", "--top-k", "2").output == "rex.jpg: Beagle 97.0%\n"

    ((found, headers, body),) = server.requests
    assert (found, body) == (f"{asked}?top_k=2", JPEG)
    assert headers["content-type"] == "image/jpeg"
    assert "authorization" not in headers


def test_a_throttle_is_waited_for(server: Server) -> None:
    server.answers += [(429, {"Retry-After": "0.01"}, {"message": "Too Many Requests"})] * 2

    assert predict("rex.jpg", "--url", server.url).exit_code == 0
    assert len(server.requests) == 3


def test_an_answer_that_is_cut_off_is_a_sentence(server: Server) -> None:
    server.cuts_off = True

    result = predict("rex.jpg", "--url", server.url)

    assert result.exit_code == 1
    assert 'The answer has no predictions, so this is no model of Kennel. It begins: {"pre' in result.stderr


def signature(path: str, headers: dict[str, str], body: bytes) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    scope, signed = re.findall(r"Credential=\w+/(\S+), SignedHeaders=(\S+),", headers["authorization"])[0]
    query = path.partition("?")[2]
    lines = [f"{name}:{headers[name]}" for name in signed.split(";")]
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(["POST", "/predict", query, *lines, "", signed, digest])
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashed])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.fixture
def http_api(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as a proxy: it gets what is sent to API Gateway."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, server.url)
    return server


def test_a_request_to_the_http_api_is_signed(http_api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    assert predict("rex.jpg", "--url", HTTP_API).exit_code == 0

    ((path, headers, body),) = http_api.requests
    assert "/eu-west-1/execute-api/aws4_request" in headers["authorization"]
    assert headers["authorization"].endswith(f"Signature={signature(path, headers, body)}")


def test_an_http_api_without_credentials_names_them(http_api: Server) -> None:
    http_api.answers.append((403, {}, {"message": "Forbidden"}))

    assert "set AWS_PROFILE or the keys" in sentence(predict("rex.jpg", "--url", HTTP_API))
    assert "authorization" not in http_api.requests[0][1]


def test_missing_rights_on_the_http_api_are_named(http_api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    http_api.answers.append((403, {}, {"message": "Forbidden"}))

    assert "need execute-api:Invoke on" in sentence(predict("rex.jpg", "--url", HTTP_API))


@pytest.mark.parametrize(("status", "headers"), [(404, {}), (405, {}), (302, {"Location": "http://127.0.0.1:9/"})])
def test_an_address_without_a_route_is_a_sentence(server: Server, status: int, headers: dict[str, str]) -> None:
    server.answers.append((status, headers, {}))

    assert f"takes no photos there ({status})" in sentence(predict("rex.jpg", "--url", server.url))


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://dogs/", "http://", "http://[", "http://a:b/", "http://a/?x=1"]
)
def test_what_is_no_address_is_a_sentence(url: str) -> None:
    assert "is no address of a server" in sentence(predict("rex.jpg", "--url", url))


def test_an_address_where_nothing_listens_is_a_sentence() -> None:
    assert "http://127.0.0.1:9 cannot be reached" in sentence(predict("rex.jpg", "--url", "http://127.0.0.1:9"))
