"""The handler answers before its deadline, with its own sentence, whatever the endpoint's or S3's connection does.

The clients are boto3's, the sockets real. The peers would go on for as long as a test may take at all.
"""

import base64
import datetime
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lambda_fn import calls
from lambda_fn.settings import S3Object, Settings
from tests.faults.fault_server import answers, misbehaving
from tests.faults.handler_here import Context, handler_with
from tests.faults.slow_peer import (
    OK,
    WRONG,
    Speaks,
    drips,
    floods,
    reads_nothing,
    says_nothing,
    slow_peer,
)
from tests.patience import PATIENCE_S, wait_until
from tests.rehearsal.container import JPEG

LEFT_S = 2.0
"""What Lambda's context says that is left: the handler answers half a second sooner."""
BOUND_S = PATIENCE_S / 10
"""Far more than LEFT_S, for a busy machine, and far less than what the peers take."""
LARGE_JPEG = JPEG + bytes(4_000_000)

SLOW = {
    "silence": says_nothing,
    "status line": drips(b"", b"HTTP/1.1 200 OK" + b" " * 10_000),
    "headers": drips(OK, b"X-More: 1\r\n"),
    "one endless header": drips(OK + b"X-More: ", b"x"),
    "100 Continue": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drips(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    "body without a length": drips(OK + b"Connection: close\r\n\r\n", b" "),
    "an error's body": drips(WRONG + b"Content-Length: 100000\r\n\r\n", b" "),
}

Invoke = Callable[[Any], tuple[int, str]]
PHOTO_EVENT = {"image": base64.b64encode(JPEG).decode()}
EVENTS = {"endpoint": PHOTO_EVENT, "S3": {"s3": {"bucket": "photos", "key": "dog.jpg"}}}
TIMED_OUT = {"endpoint": (504, "timed_out"), "S3": (504, "s3_timed_out")}


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Invokes the handler and returns the status and the error's code. Afterwards no thread of a call may be left."""
    settings = Settings(endpoint_name="dogs", readable_s3_prefixes=(S3Object("photos", ""),))
    handler = handler_with(settings, monkeypatch)
    forget_clients()

    def invoked(event: Any) -> tuple[int, str]:
        response = handler(event, Context(LEFT_S))
        return response["statusCode"], json.loads(response["body"]).get("error", {}).get("code", "")

    yield invoked
    assert wait_until(lambda: not threads_of_calls())
    forget_clients()


def forget_clients() -> None:
    for client in (calls.s3, calls.sagemaker_runtime):
        client.cache_clear()


def threads_of_calls() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "call"]


def connect_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for service in ("S3", "SAGEMAKER_RUNTIME"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
    forget_clients()


@pytest.mark.parametrize("service", EVENTS)
@pytest.mark.parametrize("speaks", SLOW.values(), ids=SLOW)
def test_a_slow_response_ends_at_the_deadline(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, service: str, speaks: Speaks
) -> None:
    with slow_peer(speaks) as peer:
        connect_to(monkeypatch, peer.url)
        began = time.monotonic()

        assert invoke(EVENTS[service]) == TIMED_OUT[service]
        assert time.monotonic() - began < BOUND_S
        assert wait_until(lambda: not peer.open)  # the connection is closed, and not left to the next invocation
        assert peer.connections == 1


def test_a_photo_that_is_not_read_ends_at_the_deadline(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_peer(reads_nothing) as peer:
        connect_to(monkeypatch, peer.url)
        began = time.monotonic()

        assert invoke({"image": base64.b64encode(LARGE_JPEG).decode()}) == (504, "timed_out")
        assert time.monotonic() - began < BOUND_S
        assert wait_until(lambda: not threads_of_calls())


@pytest.mark.parametrize("service", EVENTS)
@pytest.mark.parametrize("speaks", [SLOW["status line"], SLOW["body"]], ids=["status line", "body"])
def test_a_slow_response_over_tls_ends_at_the_deadline(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str, speaks: Speaks
) -> None:
    certificate = for_localhost(tmp_path / "localhost.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with slow_peer(speaks, certificate=certificate) as peer:
        connect_to(monkeypatch, peer.url)
        began = time.monotonic()

        assert invoke(EVENTS[service]) == TIMED_OUT[service]
        assert time.monotonic() - began < BOUND_S
        assert wait_until(lambda: not peer.open)
        assert peer.sent > 0  # it spoke TLS with the client


def test_a_handshake_that_does_not_end_ends_at_the_deadline(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_peer(says_nothing) as peer:
        connect_to(monkeypatch, peer.url.replace("http:", "https:"))
        began = time.monotonic()

        assert invoke(PHOTO_EVENT) == (504, "timed_out")
        assert time.monotonic() - began < BOUND_S
        assert wait_until(lambda: not peer.open)


def test_a_name_that_is_not_resolved_ends_at_the_deadline(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = threading.Event()
    resolve = socket.getaddrinfo

    def late(*args: Any, **kwargs: Any) -> Any:
        resolved.wait(PATIENCE_S)
        return resolve(*args, **kwargs)

    with slow_peer(says_nothing) as peer:
        connect_to(monkeypatch, peer.url)
        monkeypatch.setattr(socket, "getaddrinfo", late)
        began = time.monotonic()

        assert invoke(PHOTO_EVENT) == (504, "timed_out")
        assert time.monotonic() - began < BOUND_S
        assert len(threads_of_calls()) == 1

        resolved.set()  # the abandoned call gets its connection and closes it, without a request
        assert wait_until(lambda: not threads_of_calls() and not peer.open)


@pytest.mark.parametrize(("service", "refused"), [("endpoint", (502, "model_failed")), ("S3", (413, "too_large"))])
@pytest.mark.parametrize(
    "speaks",
    [
        floods(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
        floods(OK + b"Connection: close\r\n\r\n", b" " * 65_536),
        floods(WRONG + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
        floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    ],
    ids=["chunks", "body without a length", "an error's body", "100 Continue"],
)
def test_a_response_without_an_end_is_read_up_to_a_limit(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, service: str, refused: tuple[int, str], speaks: Speaks
) -> None:
    with slow_peer(speaks) as peer:
        connect_to(monkeypatch, peer.url)

        assert invoke(EVENTS[service]) in (refused, TIMED_OUT[service])  # a busy machine may reach the deadline first
        assert wait_until(lambda: not peer.open)
        assert peer.sent < 50_000_000


def test_the_next_invocation_is_served_as_usual(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    with misbehaving() as endpoint:
        connect_to(monkeypatch, endpoint.url)
        for fault in (answers, endpoint.hangs_in_the_body, answers, endpoint.hangs, answers, answers):
            endpoint.play(fault)
            assert invoke(PHOTO_EVENT) == ((200, "") if fault is answers else (504, "timed_out"))
            assert endpoint.calls == 1


def for_localhost(path: Path) -> Path:
    """A key and a certificate that it signs itself, as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
